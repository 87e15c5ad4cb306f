"""`/v1/files`, through OpenAI's client and without it."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from tests.support.v1.v1_client import MAX_FILE_BYTES, V1, error_of


async def test_a_file_is_uploaded_read_and_deleted(app: V1) -> None:
    async with app.openai() as client:
        created = await client.files.create(file=("guide/intro.md", b"# Hello"), purpose="assistants")
        assert (created.object, created.filename, created.bytes, created.purpose, created.status) == (
            "file",
            "guide/intro.md",
            7,
            "assistants",
            "processed",
        )
        assert created.expires_at is None
        assert await client.files.retrieve(created.id) == created
        content = await client.files.content(created.id)
        assert content.read() == b"# Hello"
        deleted = await client.files.delete(created.id)
        assert (deleted.id, deleted.deleted, deleted.object) == (created.id, True, "file")
        with pytest.raises(openai.NotFoundError) as caught:
            await client.files.retrieve(created.id)
    assert caught.value.code == "file_not_found"
    assert list(app.incoming.iterdir()) == []


async def test_expires_after_is_accepted_as_openais_client_sends_it(app: V1) -> None:
    async with app.openai() as client:
        created = await client.files.create(
            file=b"x", purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
        )
    assert created.expires_at == created.created_at + 3600


@pytest.mark.parametrize("value", ["hr", "7", '"hr"', "[7]", '[""]', '["\\ud800"]', "[" * 3000])
async def test_invalid_groups_are_refused(app: V1, value: str) -> None:
    async with app.http() as http:
        response = await http.post("/files", files={"file": ("a.md", b"x")}, data={"read_groups": value})
    status, code, param = error_of(response)
    assert (status, code, (param or "").split(".")[0]) == (400, "invalid_request", "read_groups")
    assert list(app.incoming.iterdir()) == []


async def test_files_are_paginated(app: V1) -> None:
    async with app.openai() as client:
        for number in range(5):
            await client.files.create(file=(f"{number}.md", b"x"), purpose="assistants" if number else "batch")
        assert [file.filename async for file in client.files.list(limit=2)] == [f"{n}.md" for n in (4, 3, 2, 1, 0)]
        assert [file.filename async for file in client.files.list(limit=2, order="asc", purpose="assistants")] == [
            f"{n}.md" for n in (1, 2, 3, 4)
        ]
        page = await client.files.list()
        assert (len(page.data), page.has_more) == (5, False)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"GIF89a"])
async def test_any_bytes_are_stored_unchanged(app: V1, content: bytes) -> None:
    async with app.openai() as client:
        created = await client.files.create(file=("a.bin", content), purpose="vision")
        assert (await client.files.content(created.id)).read() == content


NAMES = ['"; filename=evil.html', "ä'b\"c.html", "x.html", "日本/é.md", "a b;c.pdf", "<script>.htm", "percent%41.txt"]


@pytest.mark.parametrize("name", NAMES)
async def test_content_is_served_as_an_attachment_that_no_browser_renders(app: V1, name: str) -> None:
    async with app.http() as http:
        created = (await http.post("/files", files={"file": (name, b"<script>")})).json()
        response = await http.get(f"/files/{created['id']}/content")
    disposition = response.headers["content-disposition"]
    assert disposition.startswith("attachment; filename")
    assert '"' not in disposition.replace(f'"{created["filename"]}"', "", 1)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]
    assert "charset" not in response.headers["content-type"]


async def test_the_media_type_is_a_known_one_or_generic(app: V1) -> None:
    async with app.http() as http:
        for name, kind in (
            ("a.pdf", "application/pdf"),
            ("a.xyz", "application/octet-stream"),
            ("a.md", "text/markdown"),
        ):
            created = (await http.post("/files", files={"file": (name, b"x")})).json()
            assert (await http.get(f"/files/{created['id']}/content")).headers["content-type"] == kind


async def test_content_missing_from_disk_is_a_404(app: V1) -> None:
    async with app.http() as http:
        created = (await http.post("/files", files={"file": ("a", b"x")})).json()
        app.library.content(created["id"]).unlink()
        assert error_of(await http.get(f"/files/{created['id']}/content")) == (404, "file_not_found", "file_id")


SECONDS = "expires_after[seconds]"
FILE: Any = {"file": ("a.md", b"x")}
INVALID: list[tuple[str, dict[str, Any]]] = [
    ("file", {"files": {"file": (None, b"text, not a file")}}),
    ("purpose", {"files": FILE, "data": {"purpose": "fun"}}),
    ("expires_after[anchor]", {"files": FILE, "data": {"expires_after[seconds]": "3600"}}),
    ("expires_after[seconds]", {"files": FILE, "data": {"expires_after[anchor]": "created_at"}}),
    *(
        ("expires_after[seconds]", {"files": FILE, "data": {"expires_after[anchor]": "created_at", SECONDS: value}})
        for value in ("3599", "2592001", "1e4", "-1", "", "²", "9" * 5000)
    ),
    ("other", {"files": FILE, "data": {"other": "1"}}),
    ("file", {"files": [("file", ("a", b"x")), ("file", ("b", b"x"))]}),
    ("file", {"files": {"file": ("../a", b"x")}}),
    ("file", {"files": {"file": ("/etc/passwd", b"x")}}),
    ("file", {"files": {"purpose": (None, b"batch")}}),
    ("content-type", {"json": {"file": "x"}}),
]  # fmt: skip


@pytest.mark.parametrize(("param", "options"), INVALID)
async def test_a_refusal_of_an_invalid_upload_names_the_field_and_stores_nothing(
    shared_app: V1, param: str, options: dict[str, Any]
) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.post("/files", **options)) == (400, "invalid_request", param)
        assert (await http.get("/files")).json()["data"] == []
    assert list(shared_app.incoming.iterdir()) == []


async def test_a_refusal_of_an_oversized_file_names_the_file(app: V1) -> None:
    async with app.http() as http:
        response = await http.post("/files", files={"file": ("big.md", b"x" * (MAX_FILE_BYTES + 1))})
        assert error_of(response) == (413, "file_too_large", "big.md")
        assert "1048576 bytes (1 MiB)" in response.json()["error"]["message"]
        assert (await http.post("/files", files={"file": ("ok.md", b"x" * MAX_FILE_BYTES)})).status_code == 200
    assert list(app.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"), ("limit=10001", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
        ("limit=1.5", "limit"),
        ("order=up", "order"), ("after=file-9", "after"), ("page=2", "page"), ("before=x", "before"),
    ],
)  # fmt: skip
async def test_an_invalid_query_is_refused(shared_app: V1, query: str, param: str) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.get(f"/files?{query}")) == (400, "invalid_request", param)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nope", (404, "not_found")), ("GET", "/files/", (404, "not_found")), ("GET", "/", (404, "not_found")),
        ("POST", "/completions", (404, "not_found")), ("DELETE", "/files", (405, "method_not_allowed")),
        ("PUT", "/files/x", (405, "method_not_allowed")), ("GET", "/files/x", (404, "file_not_found")),
        ("DELETE", "/files/x", (404, "file_not_found")), ("GET", "/files/x/content", (404, "file_not_found")),
        ("GET", "/files/%00", (404, "not_found")),
    ],
)  # fmt: skip
async def test_a_missing_file_is_a_404_of_the_common_shape(
    shared_app: V1, method: str, path: str, expected: tuple[int, str]
) -> None:
    async with shared_app.http() as http:
        response: httpx.Response = await http.request(method, path)
        assert error_of(response)[:2] == expected


async def test_evals_is_returned_as_user_data(app: V1) -> None:
    """OpenAI's document accepts the purpose `evals`, and never returns it."""
    async with app.http() as http:
        made = (await http.post("/files", files=FILE, data={"purpose": "evals"})).json()
        assert made["purpose"] == "user_data"
        for purpose, ids in (("evals", [made["id"]]), ("user_data", [made["id"]]), ("batch", [])):
            listed = (await http.get("/files", params={"purpose": purpose})).json()
            assert [file["id"] for file in listed["data"]] == ids


async def test_an_empty_page_has_empty_ids(app: V1) -> None:
    async with app.http() as http:
        page = (await http.get("/files")).json()
    assert (page["data"], page["first_id"], page["last_id"]) == ([], "", "")
