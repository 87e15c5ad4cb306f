"""Bytes on disk: originals as they were uploaded, and the extracts of their text."""

from __future__ import annotations

import gzip
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rag.errors import RagError, Unavailable

_DAY_S = 86_400.0


class BlobFolder:
    """A folder of immutable files. Their names are generated, and never those of uploads.

    Args:
        folder: Where the files are. Replicas that share a catalog must share this folder, too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.incoming = folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def take(self, path: Path) -> str:
        """Move a file from `incoming` into the folder. Returns its id."""
        blob_id = uuid.uuid4().hex
        target = self._new_path(blob_id)
        os.replace(path, target)
        _sync_folder(target.parent)
        return blob_id

    @contextmanager
    def taken(self, paths: Sequence[Path]) -> Iterator[list[str]]:
        """Move files from `incoming` into the folder, and remove them again if the block refuses the request.

        They stay if the catalog does not answer, since the transaction may have been committed.
        """
        blob_ids = [self.take(path) for path in paths]
        try:
            yield blob_ids
        except RagError as error:
            if not isinstance(error, Unavailable):
                self.remove(blob_ids)
            raise

    def write(self, content: bytes) -> str:
        """Store bytes, compressed. Returns their id."""
        blob_id = uuid.uuid4().hex
        part = self.incoming / blob_id
        with part.open("wb") as file:
            file.write(gzip.compress(content, compresslevel=1))
            file.flush()
            os.fsync(file.fileno())
        target = self._new_path(blob_id)
        os.replace(part, target)
        _sync_folder(target.parent)
        return blob_id

    def read(self, blob_id: str) -> bytes:
        """The bytes that `write` stored."""
        return gzip.decompress(self.path(blob_id).read_bytes())

    def path(self, blob_id: str) -> Path:
        return self._folder / blob_id[:2] / blob_id

    def remove(self, blob_ids: Collection[str]) -> None:
        for blob_id in blob_ids:
            self.path(blob_id).unlink(missing_ok=True)

    def sweep(self, known: Collection[str]) -> int:
        """Remove what crashes left behind: files over a day old that are not `known` blobs. Returns their number."""
        oldest = time.time() - _DAY_S
        left = [path for path in self._folder.glob("*/*") if path.name not in known and path.stat().st_mtime < oldest]
        for path in left:
            if path.is_dir():  # a temporary folder of the parser process
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(left)

    def _new_path(self, blob_id: str) -> Path:
        path = self.path(blob_id)
        path.parent.mkdir(exist_ok=True)
        return path


def _sync_folder(folder: Path) -> None:
    """Flush the folder to disk, so that a new name survives a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
