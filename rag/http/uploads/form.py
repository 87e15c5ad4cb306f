"""Streams multipart/form-data from the socket to files on disk (docs/bentoml_issues.md#b16).

request.stream() -> blocks -> python-multipart -> one file per part, hashed and counted while it is written
                                               -> the other fields, as text
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from rag.errors import DependencyUnavailable, FileTooLarge, InvalidRequest
from rag.http.shielded_thread import run_in_thread_shielded
from rag.http.uploads.part_header import PartHeader, read_charset, read_disposition
from rag.http.uploads.upload_file import UploadFile
from rag.readers.filename import normalize_filename
from rag.records import UploadedFile

logger = logging.getLogger("rag.upload")

_BLOCK_BYTES = 256 * 1024
"""Size of the blocks that a thread parses: calling a thread costs as much as reading 64 KiB."""
_MAX_FIELD_BYTES = 64 * 1024
_MAX_HEADER_BYTES = 16 * 1024
_MAX_HEADERS = 16

TypeCheck = Callable[[Path, str], object]
"""Called with the path of a complete file and its name; raises UnsupportedFile if the type is not supported."""


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What a form may contain.

    Args:
        file_field: The name of the field with the files.
        text_fields: The names of all other fields.
        check_type: Called with each file when it is complete.
        unique_names: Whether two files may not have the same name.
    """

    file_field: str
    text_fields: Collection[str]
    max_file_bytes: int
    max_files: int = 1000
    check_type: TypeCheck | None = None
    unique_names: bool = False


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that was received completely."""

    uploads: Sequence[UploadedFile]
    """In the order sent; at least one."""
    fields: Mapping[str, str]


@contextlib.asynccontextmanager
async def receive_form(request: Request, folder: Path, rules: UploadRules) -> AsyncIterator[UploadForm]:
    """The complete form, its files on disk in `folder`. Files that are still there at the end are deleted.

    Raises:
        InvalidRequest: the body is not a form, is incomplete, or violates a rule; names the field.
        FileTooLarge: raised as soon as a file exceeds the limit; names the file and the limit.
        UnsupportedFile: raised by `check_type`.
        DependencyUnavailable: the disk is full.
    """
    writer = _FormWriter(_boundary(request.headers.get("content-type")), folder, rules)
    try:
        async for block in _blocks(request):
            await run_in_thread_shielded(writer.write, block)
        yield await run_in_thread_shielded(writer.finished)
    finally:
        await run_in_thread_shielded(writer.remove)


def _boundary(content_type: str | None) -> bytes:
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise InvalidRequest("send the files as multipart/form-data", param="content-type")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise InvalidRequest("multipart/form-data: the boundary is missing", param="content-type")
    return boundary


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size >= _BLOCK_BYTES:
                yield b"".join(chunks)
                chunks, size = [], 0
    except ClientDisconnect:
        raise InvalidRequest("the body is incomplete: the connection was closed early") from None
    yield b"".join(chunks)


class _FormWriter:
    """Writes the files of a form block by block. It is called from several threads, but never concurrently."""

    def __init__(self, boundary: bytes, folder: Path, rules: UploadRules) -> None:
        self._folder = folder
        self._rules = rules
        self._header = PartHeader()
        self._field = ""
        self._text = bytearray()
        self._fields: dict[str, str] = {}
        self._file: UploadFile | None = None
        self._files: list[UploadFile] = []
        self._names: set[str] = set()
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header.on_field,
                    "on_header_value": self._header.on_value,
                    "on_header_end": self._header.on_end,
                    "on_headers_finished": self._open,
                    "on_part_data": self._take,
                    "on_part_end": self._close,
                    "on_end": self._end,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError:
            raise InvalidRequest("multipart/form-data: the boundary is too long", param="content-type") from None

    def write(self, block: bytes) -> None:
        try:
            self._parser.write(block)
        except FormParserError:
            raise InvalidRequest("the body is not multipart/form-data") from None
        except OSError as error:
            raise _disk_error(error) from error

    def finished(self) -> UploadForm:
        if not self._is_complete:
            raise InvalidRequest("the body is not multipart/form-data, or was cut off")
        if not self._files:
            name = self._rules.file_field
            raise InvalidRequest(f"{name}: is missing; send a file, with its name", param=name)
        return UploadForm([file.received() for file in self._files], self._fields)

    def remove(self) -> None:
        for file in self._files:
            file.remove()

    def _begin(self) -> None:
        self._header.clear()
        self._text.clear()

    def _open(self) -> None:
        self._field, filename = read_disposition(self._header.disposition)
        is_file = self._field == self._rules.file_field
        if not is_file and self._field not in self._rules.text_fields:
            name = self._field[:80]
            raise InvalidRequest(f"{name}: is not a field of this request", param=name)
        if is_file and filename is None:
            raise InvalidRequest(f"{self._field}: send it as a file, with its name", param=self._field)
        if not is_file and filename is not None:
            raise InvalidRequest(f"{self._field}: is sent as a file; send it as text", param=self._field)
        if self._field in self._fields:
            raise InvalidRequest(f"{self._field}: was sent twice", param=self._field)
        self._file = self._new_file(filename) if filename is not None else None

    def _new_file(self, filename: str) -> UploadFile:
        if len(self._files) >= self._rules.max_files:
            raise InvalidRequest(f"{self._field}: at most {self._rules.max_files} files are allowed", param=self._field)
        try:
            name = normalize_filename(filename)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, param=self._field) from None
        if self._rules.unique_names and name in self._names:
            raise InvalidRequest(f"{name}: two files in the request have this name", param=name)
        self._names.add(name)
        file = UploadFile(self._folder, name, read_charset(self._header.content_type))
        self._files.append(file)
        return file

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            if len(self._text) + end - start > _MAX_FIELD_BYTES:
                raise InvalidRequest(f"{self._field}: is larger than {_MAX_FIELD_BYTES} bytes", param=self._field)
            self._text += data[start:end]
            return
        limit = self._rules.max_file_bytes
        if self._file.bytes + end - start > limit:
            size = f"{limit} bytes ({limit / 2**20:g} MiB)"
            raise FileTooLarge(
                f"{self._file.name}: is larger than {size}, the maximum size of a file", param=self._file.name
            )
        self._file.write(memoryview(data)[start:end])

    def _close(self) -> None:
        if self._file is None:
            self._fields[self._field] = self._decoded()
            return
        self._file.close()
        if self._rules.check_type is not None:
            self._rules.check_type(self._file.path, self._file.name)
        self._file = None

    def _decoded(self) -> str:
        try:
            return self._text.decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{self._field}: is not UTF-8", param=self._field) from None

    def _end(self) -> None:
        self._is_complete = True


def _disk_error(error: OSError) -> DependencyUnavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DependencyUnavailable(
            "the service's disk is full, so the upload was not stored; free some space and try again"
        )
    logger.error("writing an upload failed: %s", error)
    return DependencyUnavailable(f"the service cannot write uploads ({error.strerror}); its log has the details")
