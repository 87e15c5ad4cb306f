"""Folders, globs and files -> uploads to `POST /ingest`, grouped so that the encoder is never idle."""

from __future__ import annotations

import fnmatch
import glob
import mimetypes
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rag.ingest.formats import SUPPORTED_SUFFIXES
from rag.types import JsonObject

MAX_GROUP_FILES = 64
MAX_GROUP_BYTES = 256 * 1024
IN_FLIGHT = 2
"""While the service encodes one group, the next is already there."""
BUSY_TRIES = 5
MAX_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Upload:
    path: Path
    name: str
    """As stored: relative to the folder given on the command line, with forward slashes."""
    size: int


@dataclass(frozen=True, slots=True)
class Selection:
    uploads: list[Upload]
    skipped: int
    """Files of a kind that the service does not read."""
    missing: list[str]
    """Arguments that match nothing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    name: str
    message: str


@dataclass(slots=True)
class Outcome:
    """What became of one group."""

    files: list[JsonObject] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    client: httpx.Client
    """Its base URL is the service's."""
    fields: dict[str, str]
    """The form fields that go with each request."""


# --- choosing files --------------------------------------------------------------------------


def select(arguments: Sequence[str], exclude: Sequence[str] = ()) -> Selection:
    """The files behind folders (with all below them), globs and file names; hidden ones in folders are left out.

    `exclude` is matched against the name as stored and against the file name alone.
    """
    found: dict[str, Upload] = {}
    skipped, missing = 0, []
    for argument in arguments:
        candidates = list(_expand(argument))
        if not candidates:
            missing.append(argument)
        for path, name in candidates:
            if any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path.name, pattern) for pattern in exclude):
                continue
            if path.suffix.lower() in SUPPORTED_SUFFIXES:
                found.setdefault(name, Upload(path, name, path.stat().st_size))
            else:
                skipped += 1
    return Selection(sorted(found.values(), key=lambda upload: upload.name), skipped, missing)


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
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield path, relative.as_posix()


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
    """Requests of a size that keeps the encoder's batches full and the progress bar moving."""
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


def send_all(target: Target, uploads: Sequence[Upload]) -> Iterator[Outcome]:
    """One outcome a group, in order, with `IN_FLIGHT` groups on the way.

    Raises:
        httpx.TransportError: the service cannot be reached, or the connection was lost.
    """
    groups = grouped(uploads)
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="upload") as pool:
        try:
            for group in groups:
                waiting.append(pool.submit(_send, target, group))
                if len(waiting) >= IN_FLIGHT:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _send(target: Target, group: Sequence[Upload]) -> Outcome:
    """Posts the group; when it is refused as a whole, each file by itself, to find the ones at fault."""
    try:
        parts = [("files", (upload.name, upload.path.read_bytes(), _media_type(upload.name))) for upload in group]
    except OSError as error:
        return _one_by_one(target, group) if len(group) > 1 else _refused(group, error.strerror or str(error))
    response = _post_patiently(target, parts)
    if response.is_success:
        return Outcome(files=list(response.json()["files"]))
    if len(group) > 1 and 400 <= response.status_code < 500 and response.status_code != 429:
        return _one_by_one(target, group)
    return _refused(group, error_message(response))


def _post_patiently(target: Target, parts: list[tuple[str, tuple[str, bytes, str]]]) -> httpx.Response:
    """Posts again, a few times, while the service says that it is busy."""
    for _ in range(BUSY_TRIES - 1):
        response = target.client.post("/ingest", data=target.fields, files=parts)
        if response.status_code not in (429, 503):
            return response
        time.sleep(_pause_s(response))
    return target.client.post("/ingest", data=target.fields, files=parts)


def _pause_s(response: httpx.Response) -> float:
    try:
        return min(float(response.headers.get("retry-after", 1)), MAX_PAUSE_S)
    except ValueError:
        return 1.0


def _one_by_one(target: Target, group: Sequence[Upload]) -> Outcome:
    whole = Outcome()
    for upload in group:
        part = _send(target, [upload])
        whole.files += part.files
        whole.refusals += part.refusals
    return whole


def _refused(group: Sequence[Upload], message: str) -> Outcome:
    return Outcome(refusals=[Refusal(upload.name, message) for upload in group])


def _media_type(name: str) -> str:
    if Path(name).suffix.lower() in {".md", ".markdown", ".mdx"}:
        return "text/markdown"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def error_message(response: httpx.Response) -> str:
    """The service's own words, or the status when the answer is not ours (a proxy's page, say)."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code} {response.reason_phrase}".strip()
