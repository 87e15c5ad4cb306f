"""Parsing of multipart/form-data to files on disk, in chunks of any size."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from rag.errors import DependencyUnavailable, FileTooLarge, InvalidRequest, RagError, UnsupportedFile
from rag.http.uploads.form import UploadForm, UploadRules, receive_form
from rag.http.uploads.part_header import read_charset, read_disposition
from rag.http.uploads.upload_file import UploadFile

RULES = UploadRules("files", ("note", "other"), max_file_bytes=100_000)
Parts = Sequence[tuple[str, tuple[str | None, bytes]]]


class Body:
    """A request body in chunks; `left` holds the chunks not yet received."""

    def __init__(self, chunks: Sequence[bytes], *, cut: bool = False) -> None:
        self.left = list(chunks)
        self._cut = cut

    async def receive(self) -> Message:
        if self.left:
            chunk = self.left.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self.left) or self._cut}
        return {"type": "http.disconnect"}


def request_of(body: Body, content_type: str) -> Request:
    headers = [(b"content-type", content_type.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, body.receive)


def encoded(parts: Parts) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://test/", files=list(parts))
    return request.read(), request.headers["content-type"]


def split(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@contextlib.asynccontextmanager
async def received(
    folder: Path, parts: Parts, rules: UploadRules = RULES, *, size: int = 65_536
) -> AsyncIterator[UploadForm]:
    data, content_type = encoded(parts)
    async with receive_form(request_of(Body(split(data, size)), content_type), folder, rules) as form:
        yield form


async def refusal(folder: Path, parts: Parts, rules: UploadRules = RULES) -> RagError:
    with pytest.raises(RagError) as caught:
        async with received(folder, parts, rules):
            pass
    assert files_in(folder) == []
    return caught.value


def files_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000, 10**6])
async def test_files_and_fields_arrive_for_any_chunk_size(tmp_path: Path, size: int) -> None:
    content = random.Random(1).randbytes(5000) + b"\r\n--\r\n-----\r\n"
    parts: Parts = [
        ("note", (None, "ä".encode())), ("files", ("guide/intro.md", content)), ("files", ("empty.md", b"")),
        ("other", (None, b"")), ("files", ("日本.txt", b"\r\n--x")),
    ]  # fmt: skip
    async with received(tmp_path, parts, size=size) as form:
        assert form.fields == {"note": "ä", "other": ""}
        assert [(u.filename, u.bytes) for u in form.uploads] == [
            ("guide/intro.md", len(content)),
            ("empty.md", 0),
            ("日本.txt", 5),
        ]
        assert form.uploads[0].path.read_bytes() == content
        assert form.uploads[0].content_hash == hashlib.sha256(content).hexdigest()
        for upload in form.uploads:
            assert upload.path.parent == tmp_path
            assert upload.path.stat().st_mode & 0o777 == 0o600
            assert not any(word in upload.path.name for word in ("intro", "empty", "日本"))
    assert files_in(tmp_path) == []


async def test_a_file_that_was_moved_away_is_not_deleted(tmp_path: Path) -> None:
    async with received(tmp_path / "in", [("files", ("a", b"x")), ("files", ("b", b"y"))]) as form:
        form.uploads[0].path.rename(tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == b"x"
    assert files_in(tmp_path / "in") == []


async def test_an_oversized_file_is_refused_before_it_is_read_to_the_end(tmp_path: Path) -> None:
    data, content_type = encoded([("files", ("a.md", b"ok")), ("files", ("big.md", b"x" * 10_000_000))])
    body = Body(split(data, 65_536))
    chunks = len(body.left)
    with pytest.raises(FileTooLarge, match=r"big\.md.*100000 bytes \(0\.0953674 MiB\)") as caught:
        async with receive_form(request_of(body, content_type), tmp_path, RULES):
            pass
    assert caught.value.param == "big.md"
    assert len(body.left) > chunks - 10
    assert files_in(tmp_path) == []


async def test_a_file_of_exactly_the_size_limit_is_accepted(tmp_path: Path) -> None:
    async with received(tmp_path, [("files", ("a.md", b"x" * 100_000))]) as form:
        assert form.uploads[0].bytes == 100_000


FILE = ("files", ("a.md", b"x"))
INVALID_FORMS: list[tuple[str, Parts]] = [
    ("files", [("note", (None, b"x"))]),
    ("files", [("files", (None, b"text"))]),
    ("note", [FILE, ("note", ("n.txt", b"x"))]),
    ("note", [("note", (None, b"x")), ("note", (None, b"x"))]),
    ("note", [FILE, ("note", (None, b"x" * 65_537))]),
    ("note", [FILE, ("note", (None, b"\xff"))]),
    ("strange", [FILE, ("strange", (None, b"x"))]),
    ("strange", [FILE, ("strange", ("a", b"x"))]),
    ("files", [("files", ("../a", b"x"))]),
    ("files", [("files", ("/a", b"x"))]),
    ("files", [("files", ("a" * 513, b"x"))]),
]


@pytest.mark.parametrize(
    ("param", "parts"), INVALID_FORMS, ids=[f"{param}-{i}" for i, (param, _) in enumerate(INVALID_FORMS)]
)
async def test_an_invalid_form_is_refused_and_leaves_no_files(tmp_path: Path, param: str, parts: Parts) -> None:
    error = await refusal(tmp_path, parts)
    assert (type(error), error.param) == (InvalidRequest, param)


async def test_the_number_of_files_is_limited(tmp_path: Path) -> None:
    rules = UploadRules("files", (), 10, max_files=3)
    async with received(tmp_path, [FILE] * 3, rules):
        pass
    assert "at most 3" in (await refusal(tmp_path, [FILE] * 4, rules)).message


async def test_a_repeated_name_is_refused_only_where_names_must_be_unique(tmp_path: Path) -> None:
    parts: Parts = [("files", ("é.md", b"x")), ("files", ("e\u0301.md", b"y"))]
    async with received(tmp_path, parts):
        pass
    error = await refusal(tmp_path, parts, UploadRules("files", (), 10, unique_names=True))
    assert (type(error), error.param) == (InvalidRequest, "é.md")


async def test_one_file_of_an_unsupported_type_refuses_the_whole_form(tmp_path: Path) -> None:
    def check(path: Path, name: str) -> None:
        if path.read_bytes() == b"bad":
            raise UnsupportedFile(f"{name} is bad", param=name)

    rules = UploadRules("files", (), 10, check_type=check)
    error = await refusal(tmp_path, [FILE, ("files", ("b.md", b"bad")), FILE], rules)
    assert (type(error), error.param) == (UnsupportedFile, "b.md")


CONTENT_TYPES = [
    "", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x",
    "multipart/form-data; boundary=" + "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
async def test_another_content_type_is_refused(tmp_path: Path, content_type: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        async with receive_form(request_of(Body([b"--x--\r\n"]), content_type), tmp_path, RULES):
            pass
    assert caught.value.param == "content-type"


MALFORMED_BODIES = [
    b"", b"no parts", b"--x", b"--x--", b"--x\r\n\r\n\r\n--x--",
    b"--x\r\nContent-Disposition: nothing\r\n\r\n\r\n--x--",
    b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--",
    b"--x\r\n" + b"A: b\r\n" * 17 + b"\r\n\r\n--x--", b"--x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n\r\n--x--",
    b"--x\r\n\0: b\r\n\r\n--x--", b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\r\n--x--',
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED_BODIES, ids=lambda body: repr(body[:40]))
async def test_a_body_that_is_not_a_form_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        async with receive_form(request_of(Body([body]), "multipart/form-data; boundary=x"), tmp_path, RULES):
            pass


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=80), size=st.integers(1, 40))
async def test_arbitrary_bytes_give_a_form_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, size: int
) -> None:
    folder = tmp_path_factory.mktemp("in")
    request = request_of(Body(split(b"--x\r\n" + body, size)), "multipart/form-data; boundary=x")
    with pytest.raises(RagError):
        async with receive_form(request, folder, RULES):
            pass
    assert files_in(folder) == []


@pytest.mark.parametrize("cut", [True, False])
async def test_a_body_truncated_at_any_point_is_refused(tmp_path: Path, cut: bool) -> None:
    data, content_type = encoded([("files", ("a.md", b"content")), ("note", (None, b"x"))])
    for end in range(0, len(data) - 4, 5):  # without the final line ending the body is complete
        with pytest.raises(InvalidRequest):
            async with receive_form(request_of(Body([data[:end]], cut=cut), content_type), tmp_path, RULES):
                pass
        assert files_in(tmp_path) == []


async def test_cancellation_leaves_no_files(tmp_path: Path) -> None:
    data, content_type = encoded([("files", ("a.md", b"x" * 90_000))])
    last_chunk_reached, chunks = asyncio.Event(), split(data, 1000)

    async def receive() -> Message:
        if len(chunks) > 1:
            return {"type": "http.request", "body": chunks.pop(0), "more_body": True}
        last_chunk_reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def upload() -> None:
        headers = [(b"content-type", content_type.encode())]
        request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
        async with receive_form(request, tmp_path, RULES):
            pass

    task = asyncio.create_task(upload())
    await last_chunk_reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EIO, "write")]
)
async def test_a_full_disk_is_reported_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    def disk_full(self: UploadFile, data: memoryview) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(UploadFile, "write", disk_full)
    error = await refusal(tmp_path, [FILE])
    assert isinstance(error, DependencyUnavailable)
    assert message in error.message


DISPOSITIONS: list[tuple[str, Any]] = [
    ('form-data; name="files"; filename="guide/intro.md"', "guide/intro.md"),
    ('form-data; name="files"; filename="naïve 日本.md"', "naïve 日本.md"),
    ("form-data; name=\"files\"; filename*=utf-8''na%C3%AFve%20%22x%22.md", 'naïve "x".md'),
    ('form-data; name="files"; filename="fallback.md"; filename*=UTF-8\'en\'%e6%97%a5.md', "日.md"),
    ("form-data; name=\"files\"; filename*=iso-8859-1''%e9.md", "é.md"),
    ('form-data; name="files"; filename="a\\"b.md"', 'a"b.md'),
    ('form-data; name="files"; filename="a%22b.md"', "a%22b.md"),
    ('form-data; name="files"; filename="a\\\\b.md"', "a\\b.md"),
    ('form-data; name="files"; filename="dir\\b.md"', "dir\\b.md"),
    ('form-data; name="files"; filename="C:\\dir\\b.md"', "C:\\dir\\b.md"),
    ('form-data; name="files"; filename="a;b=c.md"', "a;b=c.md"),
    ("form-data; filename=plain.md; name=files", "plain.md"),
    ('Form-Data ; NAME="files" ; FileName="a.md"', "a.md"),
    ('form-data; name="files"; filename=""', ""),
    ('form-data; name="files"', None),
]


@pytest.mark.parametrize(("header", "filename"), DISPOSITIONS)
def test_file_names_are_decoded_as_clients_encode_them(header: str, filename: str | None) -> None:
    assert read_disposition(header.encode()) == ("files", filename)


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        (b"text/plain; charset=windows-1251", "windows-1251"),
        (b'text/plain; x=y; Charset="KOI8-R"', "KOI8-R"),
        (b"text/plain", ""),
        (b"text/plain; charset=\xff", ""),
        (b"", ""),
    ],
)
def test_the_charset_of_a_part(content_type: bytes, charset: str) -> None:
    assert read_charset(content_type) == charset
