"""Uploads in parts: the parts are blobs until they become the bytes of a file."""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.catalog.documents import files, uploads
from rag.catalog.documents.uploads import PartRow, UploadRow
from rag.catalog.tenants import quotas
from rag.errors import DependencyUnavailable, FileNotFound, FileTooLarge, InvalidRequest
from rag.library.documents.files import expiry_s
from rag.records import NewUpload, UploadedFile, UploadPartRecord, UploadRecord

LIFETIME_S = 3600.0
"""How long an upload may take; OpenAI's limit."""
_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class _Joined:
    path: Path
    sha256: str
    md5: str


class UploadRegistry:
    """The uploads in parts of the current caller. Methods block.

    Raises NotFound for uploads of others, as for those that do not exist, and InvalidRequest if one is not pending.
    """

    def __init__(self, database: Database, blobs: BlobFolder, max_file_bytes: int) -> None:
        self._database = database
        self._blobs = blobs
        self._max_file_bytes = max_file_bytes

    def create(self, new: NewUpload) -> UploadRecord:
        """Raises FileTooLarge, or QuotaExceeded if the caller may store nothing more."""
        if new.bytes > self._max_file_bytes:
            limit = f"{self._max_file_bytes} bytes ({self._max_file_bytes / 2**20:g} MiB)"
            raise FileTooLarge(f"bytes: {new.bytes} is more than {limit}, the maximum size of a file", param="bytes")
        with self._database.write() as connection:
            quotas.check_left(connection, "max_stored_bytes")
            return _record(connection, uploads.get(connection, uploads.insert(connection, new, LIFETIME_S)))

    def check_pending(self, upload_id: str) -> None:
        """Raises NotFound or InvalidRequest if no part can be added."""
        with self._database.read() as connection:
            _pending(connection, upload_id)

    def add_part(self, upload_id: str, part: UploadedFile) -> UploadPartRecord:
        """Moves the part's file. Raises QuotaExceeded if the caller may not store so much."""
        with (
            self._blobs.taken([part.path]) as [blob_id],
            self._database.write() as connection,
            quotas.enforced(connection, "max_stored_bytes"),
        ):
            upload = _pending(connection, upload_id, for_update=True)
            # A part may be sent again after its response was lost, but nobody may fill the disk with parts.
            if sum(each.bytes for each in uploads.parts(connection, upload_id)) + part.bytes > 2 * upload.bytes:
                raise InvalidRequest(
                    f"data: all parts together would have more than twice the {upload.bytes} bytes of the upload",
                    param="data",
                )
            files.add_blob(connection, blob_id, "part", part.bytes)
            row = uploads.add_part(connection, upload_id, blob_id, part.bytes)
        return UploadPartRecord(row.id, upload_id, row.created_at)

    def complete(self, upload_id: str, part_ids: Sequence[str], md5: str | None = None) -> UploadRecord:
        """Make a file of the parts, in this order.

        Args:
            md5: Of all bytes, in hex; None: not checked.

        Raises:
            InvalidRequest: names the field that does not fit.
        """
        with self._database.read() as connection:
            upload = _pending(connection, upload_id)
            parts = _chosen(upload, uploads.parts(connection, upload_id), part_ids)
        joined = self._join(parts)
        try:
            if md5 is not None and md5.lower() != joined.md5:
                raise InvalidRequest(f"md5: the parts have the checksum {joined.md5}", param="md5")
            return self._store(upload, joined)
        finally:
            joined.path.unlink(missing_ok=True)

    def _store(self, upload: UploadRow, joined: _Joined) -> UploadRecord:
        content = UploadedFile(upload.filename, joined.path, upload.bytes, joined.sha256, upload.charset)
        with (
            self._blobs.taken([joined.path]) as [blob_id],
            self._database.write() as connection,
            quotas.enforced(connection, "max_stored_bytes"),
        ):
            _pending(connection, upload.id, for_update=True)
            files.add_blob(connection, blob_id, "original", content.bytes, content.charset)
            expires_after_s = expiry_s(upload.purpose, upload.file_expiry_s)
            file_id = files.new_id()
            files.insert(connection, file_id, content, blob_id, purpose=upload.purpose, expires_after_s=expires_after_s)
            uploads.end(connection, upload.id, "completed", file_id)
            return _record(connection, uploads.get(connection, upload.id))

    def cancel(self, upload_id: str) -> UploadRecord:
        with self._database.write() as connection:
            _pending(connection, upload_id, for_update=True)
            uploads.end(connection, upload_id, "cancelled")
            return _record(connection, uploads.get(connection, upload_id))

    def _join(self, parts: Sequence[PartRow]) -> _Joined:
        path = self._blobs.incoming / f"{uuid.uuid4().hex}.joined"
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        try:
            with path.open("xb") as target:
                for part in parts:
                    with self._blobs.path(part.blob_id).open("rb") as source:
                        while block := source.read(_BLOCK_BYTES):
                            sha256.update(block)
                            md5.update(block)
                            target.write(block)
                target.flush()
                os.fsync(target.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _failure(error) from error
        return _Joined(path, sha256.hexdigest(), md5.hexdigest())


def _failure(error: OSError) -> FileNotFound | DependencyUnavailable:
    if isinstance(error, FileNotFoundError):
        return FileNotFound("the bytes of a part are missing from the data folder", param="part_ids")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DependencyUnavailable("the service's disk is full; free some space and try again")
    return DependencyUnavailable(f"the service cannot join the parts ({error.strerror})")


def _pending(connection: sa.Connection, upload_id: str, *, for_update: bool = False) -> UploadRow:
    upload = uploads.get(connection, upload_id, for_update=for_update)
    if (status := _record(connection, upload).status) != "pending":
        raise InvalidRequest(f"upload_id: the upload is {status}; create another one", param="upload_id")
    return upload


def _chosen(upload: UploadRow, parts: Sequence[PartRow], part_ids: Sequence[str]) -> list[PartRow]:
    """The parts with these ids, whose bytes together must be those that were announced."""
    by_id = {part.id: part for part in parts}
    if (missing := next((each for each in part_ids if each not in by_id), None)) is not None:
        raise InvalidRequest(f"part_ids: the upload has no part {missing[:80]!r}", param="part_ids")
    if len(set(part_ids)) < len(part_ids):
        raise InvalidRequest("part_ids: names a part twice", param="part_ids")
    chosen = [by_id[each] for each in part_ids]
    if (total := sum(part.bytes for part in chosen)) != upload.bytes:
        raise InvalidRequest(
            f"part_ids: the parts have {total} bytes together, but the upload was created with bytes={upload.bytes}",
            param="part_ids",
        )
    return chosen


def _record(connection: sa.Connection, row: UploadRow) -> UploadRecord:
    is_late = row.state == "pending" and row.expires_at <= time.time()
    file = None if row.file_id is None else files.find(connection, row.file_id)
    status = "expired" if is_late else row.state
    return UploadRecord(row.id, row.filename, row.purpose, row.bytes, status, row.created_at, row.expires_at, file)
