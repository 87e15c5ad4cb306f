"""`ingest --watch`: ingests files that change in the folders, and removes those that are deleted there.

    event -> list the folders -> wait a moment, list again -> ingest changed files that are stable; remove deleted ones

Events only trigger a scan, so an event that the file system drops or misreports does no harm.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import httpx

from rag.cli.ingest.run import IngestRun
from rag.cli.output import fail, print_json, print_line, print_message
from rag.cli.service_client import api_path, cli_context
from rag.types import JsonObject
from rag.upload import LocalFile, ServiceError, UploadTarget, error_message, select_files, with_retries

SETTLE_S = 0.5
"""A file counts as completely written if two scans this far apart find it unchanged."""
MAX_SCANS = 20
"""Scans after one event; files that still change then wait for the next event."""
RESCAN_S = 60
"""Scan this often without any event, to find changes from while the service was unavailable."""

FilesByName = Mapping[str, LocalFile]


@dataclass(slots=True)
class FolderWatcher:
    """Keeps a vector store in step with folders."""

    target: UploadTarget
    folders: Sequence[Path]
    exclude: Sequence[str]
    as_json: bool = False
    ingested: dict[str, LocalFile] = field(default_factory=dict)
    """Files below the folders, by name, as they were when they were ingested."""
    file_ids: dict[str, str] = field(default_factory=dict)
    _devices: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._devices = [folder.stat().st_dev for folder in self.folders]

    def start(self, files: Iterable[LocalFile], run: IngestRun) -> None:
        """Record what the first run has ingested."""
        self.ingested = {
            file.name: file for file in files if any(file.path.is_relative_to(folder) for folder in self.folders)
        }
        self._record_ids(files, run)

    def sync(self) -> None:
        """Ingest and remove files until the store matches the folders; files that keep changing are left."""
        before = self._scan()
        for _ in range(MAX_SCANS):
            if before is None or not self._differs(before):
                return
            cli_context().sleep(SETTLE_S)
            now = self._scan()
            if now is None:
                return
            changed = [
                file for name, file in now.items() if self.ingested.get(name) != file and before.get(name) == file
            ]
            deleted = [
                name
                for name, file in self.ingested.items()
                if name not in before and name not in now and not file.path.exists()
            ]
            if not self._apply(changed, deleted):
                return
            before = now

    def _apply(self, changed: Sequence[LocalFile], deleted: Sequence[str]) -> bool:
        """False if the service is unavailable: the next scan finds the same changes again."""
        try:
            self._ingest(changed)
            not_removed = [name for name in deleted if not self._remove(name)]
            return not not_removed
        except ServiceError as error:
            print_message(str(error))
        except httpx.TransportError as error:
            print_message(f"the service does not respond ({type(error).__name__}); retrying at the next scan")
        return False

    def _scan(self) -> FilesByName | None:
        """The files; None if a folder or its disk is missing, which does not mean that its documents were deleted."""
        for folder, device in zip(self.folders, self._devices, strict=True):
            try:
                is_present = folder.is_dir() and folder.stat().st_dev == device
            except OSError:
                is_present = False
            if not is_present:
                print_message(f"{folder} is missing; its documents are kept")
                return None
        selection = select_files([str(folder) for folder in self.folders], self.exclude)
        return {file.name: file for file in selection.files}

    def _differs(self, files: FilesByName) -> bool:
        is_changed = any(self.ingested.get(name) != file for name, file in files.items())
        return is_changed or any(name not in files and not file.path.exists() for name, file in self.ingested.items())

    def _ingest(self, files: Sequence[LocalFile]) -> None:
        if not files:
            return
        run = IngestRun(self.target, lambda _: None)
        run.upload(files)
        run.wait()
        self.ingested.update({file.name: file for file in files})
        self._record_ids(files, run)
        for row in run.rows:
            if row.get("status") == "completed":
                chunks = int(row.get("chunks") or 0)
                self._print_change(str(row.get("change")), str(row["filename"]), f" ({chunks:,} chunks)", chunks=chunks)
        for failure in run.failures:
            self._print_change("failed", failure.name, f": {failure.message}", message=failure.message)
        for row in run.cancelled:
            self._print_change("cancelled", str(row["filename"]))

    def _record_ids(self, files: Iterable[LocalFile], run: IngestRun) -> None:
        """The service may return a name in another Unicode normal form than the file system's."""
        ids = {str(row["filename"]): str(row["file_id"]) for row in run.rows}
        for file in files:
            if file_id := ids.get(file.name) or ids.get(file.stored_name):
                self.file_ids[file.name] = file_id

    def _remove(self, name: str) -> bool:
        file_id = self.file_ids.get(name)
        if file_id is not None:
            path = api_path("vector_stores", self.target.fields["vector_store"], "files", file_id)
            response = with_retries(lambda: self.target.client.delete(path), cli_context().sleep)
            if not response.is_success and response.status_code != 404:
                print_message(f"cannot remove {name}: {error_message(response)}")
                return False
        self.ingested.pop(name)
        self.file_ids.pop(name, None)
        self._print_change("deleted", name)
        return True

    def _print_change(self, change: str, name: str, details: str = "", **fields: object) -> None:
        event: JsonObject = {"change": change, "filename": name, **fields}
        if self.as_json:
            print_json(event)
        else:
            print_line(f"{change} {name}{details}")


def watch_until_interrupted(watcher: FolderWatcher, files: Sequence[LocalFile], run: IngestRun) -> NoReturn:
    """Sync after every event until Ctrl-C.

    Args:
        files: What the first run has ingested.
    """
    try:
        watcher.start(files, run)
        if not watcher.as_json:
            print_line(f"Watching {', '.join(str(folder) for folder in watcher.folders)}. Ctrl-C ends it.")
        watcher.sync()  # for changes during the first run
        for _ in (cli_context().watch_with or _events)(watcher.folders):
            watcher.sync()
    except KeyboardInterrupt:
        print_message("")
    sys.exit(0)


def _events(folders: Sequence[Path]) -> Iterator[object]:
    """Yields when visible files in the folders have changed, and every `RESCAN_S`."""
    import watchfiles

    roots = [str(folder.absolute()) for folder in folders]

    def is_visible(_change: watchfiles.Change, path: str) -> bool:
        root = next((root for root in roots if path.startswith(root)), "")
        return not any(part.startswith(".") for part in path[len(root) :].split(os.sep))

    try:
        yield from watchfiles.watch(
            *roots,
            watch_filter=is_visible,
            rust_timeout=RESCAN_S * 1000,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
    except OSError as error:
        fail(f"cannot watch the folders: {error}; to poll the files instead, set WATCHFILES_FORCE_POLLING=true")
