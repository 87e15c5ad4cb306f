"""`/v1/uploads`, through OpenAI's client and without it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Upload

from tests.support.v1.v1_client import MAX_FILE_BYTES, V1, error_of

UPLOAD: dict[str, Any] = {"filename": "a.md", "purpose": "assistants", "bytes": 6, "mime_type": "text/markdown"}


async def test_a_file_is_uploaded_in_parts_in_any_order(app: V1) -> None:
    async with app.openai() as client:
        upload = await client.uploads.create(**UPLOAD)
        assert Upload.model_validate(upload.to_dict(), strict=True).to_dict() == upload.to_dict()
        assert (upload.status, upload.file, upload.expires_at) == ("pending", None, upload.created_at + 3600)
        second = await client.uploads.parts.create(upload.id, data=b"les")
        first = await client.uploads.parts.create(upload.id, data=b"app")
        assert (first.object, first.upload_id) == ("upload.part", upload.id)
        md5 = hashlib.md5(b"apples").hexdigest()
        done = await client.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=md5.upper())
        assert (done.status, done.id) == ("completed", upload.id)
        assert done.file is not None
        assert (done.file.filename, done.file.bytes, done.file.expires_at) == ("a.md", 6, None)
        assert await client.files.retrieve(done.file.id) == done.file
        assert (await client.files.content(done.file.id)).read() == b"apples"
    assert list(app.incoming.iterdir()) == []


@pytest.mark.parametrize("part_size", [7, 100_000])
async def test_openais_client_uploads_a_large_file(app: V1, tmp_path: Path, part_size: int) -> None:
    path, content = tmp_path / "guide.md", b"The axolotl lives in a lake.\n" * (10 if part_size < 10 else 20_000)
    path.write_bytes(content)
    async with app.openai() as client:
        done = await client.uploads.upload_file_chunked(
            file=path, mime_type="text/markdown", purpose="assistants", part_size=part_size
        )
        assert done.file is not None
        assert (await client.files.content(done.file.id)).read() == content
        assert done.file.content_hash == hashlib.sha256(content).hexdigest()  # type: ignore[attr-defined]


async def test_the_file_expires_as_requested_or_as_its_purpose_does(app: V1) -> None:
    async with app.openai() as client:
        cases: list[tuple[dict[str, Any], int]] = [
            ({"purpose": "batch"}, 30 * 86_400),
            ({"purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 3600}}, 3600),
            ({"expires_after": {"anchor": "created_at", "seconds": 7200}}, 7200),
        ]
        for options, seconds in cases:
            upload = await client.uploads.create(**{**UPLOAD, **options})
            part = await client.uploads.parts.create(upload.id, data=b"apples")
            file = (await client.uploads.complete(upload.id, part_ids=[part.id])).file
            assert file is not None
            assert file.expires_at is not None
            assert abs(file.expires_at - file.created_at - seconds) <= 1


async def test_a_cancelled_or_completed_upload_takes_nothing_more(app: V1) -> None:
    async with app.openai() as client:
        cancelled = await client.uploads.create(**UPLOAD)
        part = await client.uploads.parts.create(cancelled.id, data=b"apples")
        assert (await client.uploads.cancel(cancelled.id)).status == "cancelled"
        completed = await client.uploads.create(**UPLOAD)
        other = await client.uploads.parts.create(completed.id, data=b"apples")
        await client.uploads.complete(completed.id, part_ids=[other.id])
        for upload, each, status in ((cancelled, part, "cancelled"), (completed, other, "completed")):
            for call in (
                client.uploads.parts.create(upload.id, data=b"x"),
                client.uploads.complete(upload.id, part_ids=[each.id]),
                client.uploads.cancel(upload.id),
            ):
                with pytest.raises(openai.BadRequestError, match=f"the upload is {status}") as caught:
                    await call
                assert caught.value.param == "upload_id"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"part_ids": []}, "part_ids"),
        ({"part_ids": ["part_0"]}, "part_ids"),
        ({"part_ids": ["PART", "PART"]}, "part_ids"),
        ({"part_ids": ["HALF"]}, "part_ids"),
        ({"md5": "0" * 32}, "md5"),
        ({"md5": "apples"}, "md5"),
        ({"parts": []}, "parts"),
    ],
)
async def test_parts_that_do_not_fit_make_no_file(app: V1, change: dict[str, Any], param: str) -> None:
    async with app.openai() as client, app.http() as http:
        upload = await client.uploads.create(**UPLOAD)
        part = await client.uploads.parts.create(upload.id, data=b"apples")
        half = await client.uploads.parts.create(upload.id, data=b"app")
        if "part_ids" in change:
            change = {"part_ids": [{"PART": part.id, "HALF": half.id}.get(each, each) for each in change["part_ids"]]}
        refused = await http.post(f"/uploads/{upload.id}/complete", json={"part_ids": [part.id], **change})
        assert error_of(refused) == (400, "invalid_request", param)
        assert (await client.files.list()).data == []
        done = await client.uploads.complete(upload.id, part_ids=[part.id])
        assert done.status == "completed"
    assert list(app.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"bytes": 0}, 400, "bytes"),
        ({"bytes": MAX_FILE_BYTES + 1}, 413, "bytes"),
        ({"filename": "../a.md"}, 400, "filename"),
        ({"filename": ""}, 400, "filename"),
        ({"purpose": "batch_output"}, 400, "purpose"),
        ({"mime_type": None}, 400, "mime_type"),
        ({"expires_after": {"anchor": "created_at", "seconds": 3599}}, 400, "expires_after.seconds"),
        ({"name": "a"}, 400, "name"),
    ],
)
async def test_bad_uploads_are_refused(app: V1, change: dict[str, Any], status: int, param: str) -> None:
    async with app.http() as http:
        refused = await http.post("/uploads", json={**UPLOAD, **change})
    assert error_of(refused)[::2] == (status, param)


async def test_parts_have_at_most_twice_the_bytes_of_their_upload(app: V1) -> None:
    async with app.openai() as client:
        upload = await client.uploads.create(**UPLOAD)
        for _ in range(2):
            await client.uploads.parts.create(upload.id, data=b"apples")
        with pytest.raises(openai.BadRequestError, match="more than twice the 6 bytes") as caught:
            await client.uploads.parts.create(upload.id, data=b"x")
        assert caught.value.param == "data"
    assert list(app.incoming.iterdir()) == []


async def test_a_part_is_as_large_as_a_file_at_most(app: V1) -> None:
    async with app.openai() as client, app.http() as http:
        upload = await client.uploads.create(**{**UPLOAD, "bytes": MAX_FILE_BYTES})
        files = {"data": ("upload", b"x" * (MAX_FILE_BYTES + 1))}
        assert error_of(await http.post(f"/uploads/{upload.id}/parts", files=files))[:2] == (413, "file_too_large")


async def test_unknown_uploads_are_not_found_before_their_bytes_are_read(app: V1) -> None:
    async with app.http() as http:
        for path in ("parts", "complete", "cancel"):
            answer = await http.post(f"/uploads/upload_0/{path}", json={"part_ids": ["part_0"]})
            assert error_of(answer) == (404, "not_found", "upload_id")


@pytest.mark.parametrize("purpose", ["batch"])
async def test_no_document_is_made_of_the_input_of_a_batch(app: V1, purpose: Any) -> None:
    async with app.openai() as client:
        file = await client.files.create(file=("a.jsonl", b"{}"), purpose=purpose)
        assert file.expires_at is not None
        assert abs(file.expires_at - file.created_at - 30 * 86_400) <= 1
        store = await client.vector_stores.create(name="x")
        with pytest.raises(openai.BadRequestError, match="has the purpose batch") as caught:
            await client.vector_stores.files.create(store.id, file_id=file.id)
        assert caught.value.param == "file_id"
