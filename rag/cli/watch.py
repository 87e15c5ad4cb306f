"""Watching folders: what changed is fed, what was deleted is taken out of the vector store.

    wake-up -> read the folders -> a moment later, again -> feed what changed and is at rest; remove what is gone

What a wake-up says is not used: a look at the folders misses nothing, whatever the file system forgot to tell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import httpx

from rag.cli.feed import Feed
from rag.cli.output import complain, fail, print_json, say
from rag.cli.service import route, world
from rag.types import JsonObject
from rag.upload import Rejected, Target, Upload, error_message, select, with_retries

SETTLE_S = 0.5
"""A file that two looks so far apart find the same is not being written."""
SETTLE_ROUNDS = 20
LOOK_AGAIN_S = 60
"""Whether or not anything was told: for what happened between two looks, or while the service was away."""

Files = Mapping[str, Upload]


@dataclass(slots=True)
class FolderWatch:
    target: Target
    folders: Sequence[Path]
    exclude: Sequence[str]
    as_json: bool = False
    known: dict[str, Upload] = field(default_factory=dict)
    """Files below the folders, as they were when they were fed, by name."""
    file_ids: dict[str, str] = field(default_factory=dict)
    _disks: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._disks = [folder.stat().st_dev for folder in self.folders]

    def begin(self, uploads: Iterable[Upload], feed: Feed) -> None:
        """What the first pass has fed is known."""
        self.known = {u.name: u for u in uploads if any(u.path.is_relative_to(folder) for folder in self.folders)}
        self._learn(uploads, feed)

    def look(self) -> None:
        """Feeds and removes until the folders are as the service knows them; gives up on files that never rest."""
        before = self._files()
        for _ in range(SETTLE_ROUNDS):
            if before is None or not self._differs(before):
                return
            world().sleep(SETTLE_S)
            now = self._files()
            if now is None:
                return
            resting = [u for u in now.values() if self.known.get(u.name) != u and before.get(u.name) == u]
            gone = [name for name, u in self.known.items() if not {name} & {*before, *now} and not u.path.exists()]
            if not self._apply(resting, gone):
                return
            before = now

    def _apply(self, changed: Sequence[Upload], gone: Sequence[str]) -> bool:
        """False when the service is away: the next look finds the same again."""
        try:
            self._feed(changed)
            left = [name for name in gone if not self._remove(name)]
            return not left
        except Rejected as error:
            complain(str(error))
        except httpx.TransportError as error:
            complain(f"the service does not answer ({type(error).__name__}); trying again at the next look")
        return False

    def _files(self) -> Files | None:
        """None when a folder, or the disk it was on, is not there: nobody deleted those documents."""
        for folder, disk in zip(self.folders, self._disks, strict=True):
            try:
                there = folder.is_dir() and folder.stat().st_dev == disk
            except OSError:
                there = False
            if not there:
                complain(f"{folder} is not there; its documents stay as they are")
                return None
        chosen = select([str(folder) for folder in self.folders], self.exclude)
        return {upload.name: upload for upload in chosen.uploads}

    def _differs(self, files: Files) -> bool:
        changed = any(self.known.get(name) != upload for name, upload in files.items())
        return changed or any(name not in files and not u.path.exists() for name, u in self.known.items())

    def _feed(self, uploads: Sequence[Upload]) -> None:
        if not uploads:
            return
        feed = Feed(self.target, lambda _: None)
        feed.send(uploads)
        feed.finish()
        self.known.update({upload.name: upload for upload in uploads})
        self._learn(uploads, feed)
        for row in feed.rows:
            if row.get("status") == "completed":
                chunks = int(row.get("chunks") or 0)
                self._tell(str(row.get("change")), str(row["filename"]), f" ({chunks:,} chunks)", chunks=chunks)
        for failed in feed.failures:
            self._tell("failed", failed.name, f": {failed.message}", message=failed.message)
        for row in feed.cancelled:
            self._tell("cancelled", str(row["filename"]))

    def _learn(self, uploads: Iterable[Upload], feed: Feed) -> None:
        """The service may say a name in another normal form than the disk."""
        said = {str(row["filename"]): str(row["file_id"]) for row in feed.rows}
        for upload in uploads:
            if file_id := said.get(upload.name) or said.get(upload.stored_name):
                self.file_ids[upload.name] = file_id

    def _remove(self, name: str) -> bool:
        file_id = self.file_ids.get(name)
        if file_id is not None:
            path = route("vector_stores", self.target.fields["vector_store"], "files", file_id)
            response = with_retries(lambda: self.target.client.delete(path), world().sleep)
            if not response.is_success and response.status_code != 404:
                complain(f"{name} cannot be removed: {error_message(response)}")
                return False
        self.known.pop(name)
        self.file_ids.pop(name, None)
        self._tell("deleted", name)
        return True

    def _tell(self, change: str, name: str, rest: str = "", **facts: object) -> None:
        event: JsonObject = {"change": change, "filename": name, **facts}
        if self.as_json:
            print_json(event)
        else:
            say(f"{change} {name}{rest}")


def run(watch: FolderWatch, uploads: Sequence[Upload], feed: Feed) -> NoReturn:
    """Looks after every wake-up until Ctrl-C."""
    try:
        watch.begin(uploads, feed)
        if not watch.as_json:
            say(f"Watching {', '.join(str(folder) for folder in watch.folders)}. Ctrl-C ends it.")
        watch.look()  # what changed during the first pass
        for _ in (world().wakeups or _wakeups)(watch.folders):
            watch.look()
    except KeyboardInterrupt:
        complain("")
    sys.exit(0)


def _wakeups(folders: Sequence[Path]) -> Iterator[object]:
    import watchfiles

    roots = [str(folder.absolute()) for folder in folders]

    def visible(_change: watchfiles.Change, path: str) -> bool:
        root = next((root for root in roots if path.startswith(root)), "")
        return not any(part.startswith(".") for part in path[len(root) :].split(os.sep))

    try:
        yield from watchfiles.watch(
            *roots,
            watch_filter=visible,
            rust_timeout=LOOK_AGAIN_S * 1000,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
    except OSError as error:
        fail(f"the folders cannot be watched: {error}; WATCHFILES_FORCE_POLLING=true looks at the files instead")
