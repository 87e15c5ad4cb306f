"""Folders, globs and files -> uploads to `POST /ingest`, in groups, each of which the service makes a job of."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import mimetypes
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rag.errors import InvalidRequest
from rag.readers.filename import normalize_filename
from rag.readers.formats import SUPPORTED_SUFFIXES
from rag.types import JsonObject

MAX_GROUP_FILES = 64
MAX_GROUP_BYTES = 8 * 1024 * 1024
"""Each group is a job: a smaller bound would make a job of every larger file."""
IN_FLIGHT = 4
TRIES = 7
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 10.0
BUSY = frozenset({429, 502, 503, 504})
ONE_FILES_FAULT = frozenset({400, 409, 413, 415, 422})
"""Refusals of a whole request that a single file in it may be the cause of."""
MAX_DROPS = 4
"""Files taken out of one group by name before the rest goes one by one: each time the rest is sent again."""


@dataclass(frozen=True, slots=True)
class Upload:
    path: Path
    name: str
    """As stored: relative to the folder given on the command line, with forward slashes."""
    size: int
    mtime_ns: int = 0

    @property
    def stored_name(self) -> str:
        """The name as the service will say it."""
        try:
            return normalize_filename(self.name)
        except InvalidRequest:  # which the service will say, too
            return self.name


@dataclass(frozen=True, slots=True)
class Selection:
    uploads: list[Upload]
    skipped: int
    """Files in folders and behind globs of a kind that the service does not read."""
    missing: list[str]
    """Arguments that match nothing."""
    shadowed: list[Path] = field(default_factory=list)
    """Other files of a name that an earlier argument gave already."""


@dataclass(frozen=True, slots=True)
class Refusal:
    name: str
    message: str


@dataclass(slots=True)
class UploadOutcome:
    """What became of one group."""

    files: list[JsonObject] = field(default_factory=list)
    """As the service answered, each with the `job_id` that goes on with it."""
    refusals: list[Refusal] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def add(self, other: UploadOutcome) -> None:
        self.files += other.files
        self.refusals += other.refusals
        self.jobs += other.jobs


@dataclass(frozen=True, slots=True)
class Target:
    client: httpx.Client
    """Its base URL is the service's."""
    fields: dict[str, str]
    """The form fields that go with each request."""
    pause: Callable[[float], object] | None = None
    """In place of sleeping."""


class Rejected(Exception):
    """The service refuses what was asked for, in its own words: no such vector store, a field that is wrong."""


# --- choosing files --------------------------------------------------------------------------


def select(arguments: Sequence[str], exclude: Sequence[str] = ()) -> Selection:
    """The files behind folders (with all below them), globs and file names; hidden ones in folders are left out.

    A file given by its name is taken whatever its suffix is: the service looks at the content.
    `exclude` is matched against the name as stored and against the file name alone.
    """
    found: dict[str, Upload] = {}
    skipped, missing, shadowed = 0, [], []
    for argument in arguments:
        candidates = list(_expand(argument))
        if not candidates:
            missing.append(argument)
        given_by_name = Path(argument).expanduser().is_file()
        for path, name in candidates:
            if any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path.name, pattern) for pattern in exclude):
                continue
            if not given_by_name and path.suffix.lower() not in SUPPORTED_SUFFIXES:
                skipped += 1
            elif (upload := _upload(path, name)) and found.setdefault(name, upload).path.absolute() != path.absolute():
                shadowed.append(path)
    return Selection(sorted(found.values(), key=lambda upload: upload.name), skipped, missing, shadowed)


def _upload(path: Path, name: str) -> Upload | None:
    """None when the file is gone since its folder was read."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return Upload(path, name, stat.st_size, stat.st_mtime_ns)


def _expand(argument: str) -> Iterator[tuple[Path, str]]:
    path = Path(argument).expanduser()
    if path.is_dir():
        yield from _folder(path)
    elif path.is_file():
        yield path, path.name
    else:
        root = _fixed_part(path)
        for match in glob.glob(str(path), recursive=True):
            if Path(match).is_file():
                yield Path(match), Path(match).relative_to(root).as_posix()


def _folder(folder: Path) -> Iterator[tuple[Path, str]]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path, path.relative_to(folder).as_posix()


def _fixed_part(pattern: Path) -> Path:
    """The folder before the first wildcard: names of matches are relative to it."""
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


# --- sending ---------------------------------------------------------------------------------


def grouped(uploads: Iterable[Upload]) -> Iterator[list[Upload]]:
    """Requests that are neither many nor large: a lost one costs little to send again."""
    group: list[Upload] = []
    size = 0
    for upload in uploads:
        if group and (len(group) >= MAX_GROUP_FILES or size + upload.size > MAX_GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(upload)
        size += upload.size
    if group:
        yield group


def send_all(target: Target, uploads: Sequence[Upload]) -> Iterator[UploadOutcome]:
    """One outcome a group, in order, with `IN_FLIGHT` groups on the way.

    Raises:
        httpx.TransportError: the service cannot be reached, or the connection was lost again and again.
        Rejected: nothing that is sent like this is taken.
    """
    sender = _Sender(target)
    waiting: deque[Future[UploadOutcome]] = deque()
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="upload") as pool:
        try:
            for group in grouped(uploads):
                waiting.append(pool.submit(sender.send, group))
                if len(waiting) >= IN_FLIGHT:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            sender.halt.set()
            for future in waiting:
                future.cancel()


@dataclass(frozen=True, slots=True)
class _Sender:
    target: Target
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """In every idempotency key: the same files in another run are another job."""
    reached: threading.Event = field(default_factory=threading.Event)
    halt: threading.Event = field(default_factory=threading.Event)

    def send(self, group: Sequence[Upload], drops: int = 0) -> UploadOutcome:
        """Posts the group; when it is refused as a whole, again without the files at fault."""
        try:
            response = with_retries(lambda: self._post(group), self.target.pause or self.halt.wait, self._hopeless)
        except (OSError, UnicodeError) as error:
            return self._one_by_one(group) if len(group) > 1 else _refused(group, _reason(error))
        if response.is_success:
            return _accepted(response)
        message, param = error_message(response), _param(response)
        at_fault = [upload for upload in group if param in (upload.name, upload.stored_name)]
        if at_fault and drops < MAX_DROPS and len(group) > 1:
            outcome = _refused(at_fault, message)
            outcome.add(self.send([upload for upload in group if upload not in at_fault], drops + 1))
            return outcome
        ours = param.partition(".")[0] in self.target.fields and not at_fault
        if 400 <= response.status_code < 500 and (ours or response.status_code not in {*ONE_FILES_FAULT, *BUSY}):
            raise Rejected(message)
        if len(group) > 1 and response.status_code in ONE_FILES_FAULT:
            return self._one_by_one(group)
        return _refused(group, message)

    def _post(self, group: Sequence[Upload]) -> httpx.Response:
        """Opens the files anew each time: httpx reads them while it sends, from their beginning to their end."""
        with ExitStack() as stack:
            parts = [
                ("files", (upload.name, stack.enter_context(upload.path.open("rb")), _media_type(upload.name)))
                for upload in group
            ]
            headers = {"idempotency-key": self._key(group)}
            response = self.target.client.post("/ingest", data=self.target.fields, files=parts, headers=headers)
        self.reached.set()
        return response

    def _key(self, group: Sequence[Upload]) -> str:
        digest = hashlib.sha256(repr(sorted(self.target.fields.items())).encode("utf-8", "surrogateescape"))
        for upload in group:
            stamp = f"\0{upload.name}\0{upload.size}\0{upload.mtime_ns}"
            digest.update(stamp.encode("utf-8", "surrogateescape"))
        return f"{self.run}-{digest.hexdigest()[:32]}"

    def _hopeless(self, error: httpx.TransportError) -> bool:
        return self.halt.is_set() or (isinstance(error, httpx.ConnectError) and not self.reached.is_set())

    def _one_by_one(self, group: Sequence[Upload]) -> UploadOutcome:
        whole = UploadOutcome()
        for upload in group:
            whole.add(self.send([upload]))
        return whole


def with_retries(
    call: Callable[[], httpx.Response],
    pause: Callable[[float], object] = time.sleep,
    hopeless: Callable[[httpx.TransportError], bool] = lambda _: False,
    tries: int = TRIES,
) -> httpx.Response:
    """Calls again, with growing pauses, while the service is busy or cannot be reached; in the end as it is."""
    for attempt in range(tries - 1):
        wait_s = min(FIRST_PAUSE_S * 2**attempt, MAX_PAUSE_S)
        try:
            response = call()
        except httpx.UnsupportedProtocol:
            raise
        except httpx.TransportError as error:
            if hopeless(error):
                raise
        else:
            if response.status_code not in BUSY:
                return response
            wait_s = _asked_pause_s(response, wait_s)
        pause(wait_s)
    return call()


def _asked_pause_s(response: httpx.Response, default: float) -> float:
    try:
        return max(0.0, min(float(response.headers["retry-after"]), MAX_PAUSE_S))
    except (KeyError, ValueError):
        return default


def _accepted(response: httpx.Response) -> UploadOutcome:
    try:
        body = response.json()
        job_id = str(body.get("batch_id") or "")
        files = [{**file, "job_id": job_id} for file in body["files"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Rejected(f"{response.url} does not answer as this service does; is the address right?") from None
    return UploadOutcome(files=files, jobs=[job_id] if job_id else [])


def _refused(group: Sequence[Upload], message: str) -> UploadOutcome:
    return UploadOutcome(refusals=[Refusal(upload.name, message) for upload in group])


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its name is not valid UTF-8; rename it"


def _media_type(name: str) -> str:
    if Path(name).suffix.lower() in {".md", ".markdown", ".mdx"}:
        return "text/markdown"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _param(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"].get("param") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def error_message(response: httpx.Response) -> str:
    """The service's own words, or the status when the answer is not ours (a proxy's page, say)."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code} {response.reason_phrase}".strip()
