"""Sends files to `POST /ingest` in groups, each of which becomes one job of the service."""

from __future__ import annotations

import hashlib
import mimetypes
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rag.types import JsonObject
from rag.upload.requests import (
    RETRYABLE_STATUSES,
    ServiceError,
    error_message,
    error_param,
    json_object_of,
    unexpected_response,
    with_retries,
)
from rag.upload.selection import LocalFile

MAX_GROUP_FILES = 64
MAX_GROUP_BYTES = 8 * 1024 * 1024
"""Each group becomes a job: with a smaller limit every larger file would be a job of its own."""
CONCURRENT_GROUPS = 4
PER_FILE_STATUSES = frozenset({400, 409, 413, 415, 422})
"""Statuses that reject a whole request although a single file in it may be the cause."""
MAX_EXCLUSIONS = 4
"""How often rejected files are taken out of a group, and the rest sent again, before files are sent one by one."""


@dataclass(frozen=True, slots=True)
class FileFailure:
    """Why a file is not in the vector store."""

    name: str
    message: str


@dataclass(slots=True)
class UploadResult:
    """The result of uploading one group."""

    files: list[JsonObject] = field(default_factory=list)
    """As in the service's response, each with the `job_id` of the job that processes it."""
    failures: list[FileFailure] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def add(self, other: UploadResult) -> None:
        self.files += other.files
        self.failures += other.failures
        self.jobs += other.jobs


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """The service that files are sent to, and the options that apply to all of them."""

    client: httpx.Client
    """Its base URL is the service's."""
    fields: dict[str, str]
    """Form fields of each request."""
    sleep: Callable[[float], object] | None = None
    """Replaces the wait between two attempts."""


def group_files(files: Iterable[LocalFile]) -> Iterator[list[LocalFile]]:
    """Split files into groups of limited count and size, so that repeating a lost request costs little."""
    group: list[LocalFile] = []
    size = 0
    for file in files:
        if group and (len(group) >= MAX_GROUP_FILES or size + file.size > MAX_GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    if group:
        yield group


def upload_files(target: UploadTarget, files: Sequence[LocalFile]) -> Iterator[UploadResult]:
    """Upload files, `CONCURRENT_GROUPS` groups at a time; yields one result a group, in order.

    Raises:
        httpx.TransportError: the service cannot be reached, or the connection was lost in every attempt.
        ServiceError: the service rejects the target's fields, so that no file can be uploaded.
    """
    uploader = _GroupUploader(target)
    pending: deque[Future[UploadResult]] = deque()
    with ThreadPoolExecutor(CONCURRENT_GROUPS, thread_name_prefix="upload") as pool:
        try:
            for group in group_files(files):
                pending.append(pool.submit(uploader.upload, group))
                if len(pending) >= CONCURRENT_GROUPS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            uploader.stopped.set()
            for future in pending:
                future.cancel()


@dataclass(frozen=True, slots=True)
class _GroupUploader:
    """Uploads groups of files, in several threads at once."""

    target: UploadTarget
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    """Part of every idempotency key: the same files in another run make another job."""
    connected: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def upload(self, group: Sequence[LocalFile], exclusions: int = 0) -> UploadResult:
        """Send the group. If it is rejected as a whole, send it again without the files that caused it."""
        try:
            response = with_retries(lambda: self._post(group), self.target.sleep or self.stopped.wait, self._is_final)
        except (OSError, UnicodeError) as error:
            return self._upload_one_by_one(group) if len(group) > 1 else _failed(group, _read_error(error))
        return _accepted(response) if response.is_success else self._rejected(response, group, exclusions)

    def _rejected(self, response: httpx.Response, group: Sequence[LocalFile], exclusions: int) -> UploadResult:
        message, param, status = error_message(response), error_param(response), response.status_code
        causes = [file for file in group if param in (file.name, file.stored_name)]
        if causes and exclusions < MAX_EXCLUSIONS and len(group) > 1:
            result = _failed(causes, message)
            result.add(self.upload([file for file in group if file not in causes], exclusions + 1))
            return result
        is_field_error = param.partition(".")[0] in self.target.fields and not causes
        if 400 <= status < 500 and (is_field_error or status not in {*PER_FILE_STATUSES, *RETRYABLE_STATUSES}):
            raise ServiceError(message)
        if len(group) > 1 and status in PER_FILE_STATUSES:
            return self._upload_one_by_one(group)
        return _failed(group, message)

    def _post(self, group: Sequence[LocalFile]) -> httpx.Response:
        """Opens the files for each attempt: httpx reads them while sending, from beginning to end."""
        with ExitStack() as stack:
            parts = [
                ("files", (file.name, stack.enter_context(file.path.open("rb")), _media_type(file.name)))
                for file in group
            ]
            headers = {"idempotency-key": self._idempotency_key(group)}
            response = self.target.client.post("/ingest", data=self.target.fields, files=parts, headers=headers)
        self.connected.set()
        return response

    def _idempotency_key(self, group: Sequence[LocalFile]) -> str:
        digest = hashlib.sha256(repr(sorted(self.target.fields.items())).encode("utf-8", "surrogateescape"))
        for file in group:
            stamp = f"\0{file.name}\0{file.size}\0{file.mtime_ns}"
            digest.update(stamp.encode("utf-8", "surrogateescape"))
        return f"{self.run_id}-{digest.hexdigest()[:32]}"

    def _is_final(self, error: httpx.TransportError) -> bool:
        return self.stopped.is_set() or (isinstance(error, httpx.ConnectError) and not self.connected.is_set())

    def _upload_one_by_one(self, group: Sequence[LocalFile]) -> UploadResult:
        result = UploadResult()
        for file in group:
            result.add(self.upload([file]))
        return result


def _accepted(response: httpx.Response) -> UploadResult:
    body = json_object_of(response)
    try:
        job_id = str(body.get("batch_id") or "")
        files = [{**file, "job_id": job_id} for file in body["files"]]
    except (KeyError, TypeError):
        raise unexpected_response(response) from None
    return UploadResult(files=files, jobs=[job_id] if job_id else [])


def _failed(group: Sequence[LocalFile], message: str) -> UploadResult:
    return UploadResult(failures=[FileFailure(file.name, message) for file in group])


def _read_error(error: OSError | UnicodeError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its name is not valid UTF-8; rename it"


def _media_type(name: str) -> str:
    if Path(name).suffix.lower() in {".md", ".markdown", ".mdx"}:
        return "text/markdown"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
