"""Files; see `rag.library.service.Library`."""

from __future__ import annotations

import time
from pathlib import Path

from rag.catalog import documents, files, stores, versions
from rag.errors import FileNotFound
from rag.library.shelf import Shelf
from rag.records import (
    Cursor,
    FileRecord,
    Page,
    Received,
)


class FileShelf(Shelf):
    def add_file(self, upload: Received, purpose: str, expires_after_s: int | None = None) -> FileRecord:
        blob_id = self._blobs.take(upload.path)
        expires_at = None if expires_after_s is None else time.time() + expires_after_s
        with self._database.write() as connection:
            files.add_blob(connection, blob_id, "original", upload.bytes)
            return files.insert(connection, files.new_id(), upload, blob_id, purpose=purpose, expires_at=expires_at)

    def files(self, cursor: Cursor, purpose: str | None = None) -> Page[FileRecord]:
        with self._database.read() as connection:
            return files.page(connection, cursor, purpose)

    def file(self, file_id: str) -> FileRecord:
        with self._database.read() as connection:
            return files.record(files.row(connection, file_id))

    def content(self, file_id: str) -> Path:
        with self._database.read() as connection:
            path = self._blobs.path(files.row(connection, file_id).blob_id)
        if not path.exists():
            raise FileNotFound(f"the bytes of {file_id} are gone from the data folder", param="file_id")
        return path

    def delete_file(self, file_id: str) -> None:
        while not self._try_delete_file(file_id):
            continue
        self.on_garbage()

    def _try_delete_file(self, file_id: str) -> bool:
        """False when the file came into another store before everything was locked."""
        with self._database.write() as connection:
            files.row(connection, file_id)
            locked = sorted({row.store_id for row in documents.of_file(connection, file_id)})
            for store_id in locked:
                stores.lock(connection, store_id)
            files.lock(connection, file_id)
            found = documents.of_file(connection, file_id)
            if any(row.store_id not in locked for row in found):
                return False
            for document in found:
                versions.remove_file(connection, document, file_id)
            files.delete(connection, file_id)
        return True
