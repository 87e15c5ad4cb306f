"""A file that is being uploaded. It is stored under a random name."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from rag.records import UploadedFile


class UploadFile:
    """An upload that is written block by block, closed, and handed over. The client's `name` is never part of the
    path.
    """

    def __init__(self, folder: Path, name: str, charset: str = "") -> None:
        self.name = name
        self._charset = charset
        self.path = folder / f"{secrets.token_hex(16)}.part"
        self.bytes = 0
        self._hash = hashlib.sha256()
        folder.mkdir(parents=True, exist_ok=True)
        self._fd: int | None = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: memoryview) -> None:
        assert self._fd is not None, "the upload is closed"
        self._hash.update(data)
        self.bytes += len(data)
        while len(data):
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        """Flush the file to disk, so that it survives a power failure, and close it."""
        if self._fd is not None:
            os.fsync(self._fd)
            self._release()

    def received(self) -> UploadedFile:
        return UploadedFile(self.name, self.path, self.bytes, self._hash.hexdigest(), self._charset)

    def remove(self) -> None:
        """Delete the file, unless it has been moved away."""
        self._release()
        self.path.unlink(missing_ok=True)

    def _release(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)
