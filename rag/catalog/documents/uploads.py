"""Uploads in parts. Only the key or token that began an upload can use it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import sqlalchemy as sa

from rag.auth.caller import current_caller, current_tenant
from rag.catalog import access
from rag.catalog.tables.rows import Condition, read_first, read_rows
from rag.catalog.tables.upload_tables import upload_parts, uploads
from rag.errors import NotFound
from rag.records import NewUpload

UploadState: TypeAlias = Literal["pending", "completed", "cancelled"]


@dataclass(frozen=True, slots=True)
class UploadRow:
    id: str
    filename: str
    purpose: str
    charset: str
    bytes: int
    file_expiry_s: int | None
    state: UploadState
    file_id: str | None
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class PartRow:
    id: str
    blob_id: str
    bytes: int
    created_at: float


def insert(connection: sa.Connection, new: NewUpload, lifetime_s: float) -> str:
    """Returns the id of the new upload."""
    upload_id, now = f"upload_{uuid.uuid4().hex[:24]}", time.time()
    connection.execute(
        sa.insert(uploads).values(
            id=upload_id,
            filename=new.filename,
            purpose=new.purpose,
            charset=new.charset,
            bytes=new.bytes,
            file_expiry_s=new.file_expiry_s,
            state="pending",
            created_at=now,
            expires_at=now + lifetime_s,
            tenant=current_tenant(),
            created_by=access.created_by(),
        )
    )
    return upload_id


def get(connection: sa.Connection, upload_id: str, *, for_update: bool = False) -> UploadRow:
    """Raises NotFound.

    Args:
        for_update: Whether other transactions that want to change the upload wait for this one.
    """
    wanted = sa.select(uploads).where(uploads.c.id == upload_id, _own())
    row = read_first(connection, UploadRow, wanted.with_for_update() if for_update else wanted)
    if row is None:
        raise NotFound(f"upload_id: there is no upload {upload_id[:80]!r}", param="upload_id")
    return row


def _own() -> Condition:
    if (caller := current_caller.get()) is None:
        return sa.true()
    return (uploads.c.tenant == caller.tenant) & (uploads.c.created_by == caller.key_id)


def add_part(connection: sa.Connection, upload_id: str, blob_id: str, size: int) -> PartRow:
    row = PartRow(f"part_{uuid.uuid4().hex[:24]}", blob_id, size, time.time())
    values = {"id": row.id, "blob_id": blob_id, "bytes": size, "created_at": row.created_at}
    connection.execute(sa.insert(upload_parts).values(upload_id=upload_id, **values))
    return row


def parts(connection: sa.Connection, upload_id: str) -> list[PartRow]:
    return read_rows(connection, PartRow, sa.select(upload_parts).where(upload_parts.c.upload_id == upload_id))


def end(connection: sa.Connection, upload_id: str, state: UploadState, file_id: str | None = None) -> None:
    """End a pending upload. The bytes of its parts are not referred to any more."""
    own = uploads.c.id == upload_id
    connection.execute(sa.update(uploads).where(own).values(state=state, file_id=file_id))
    _delete_parts(connection, [upload_id])


def is_any_due(connection: sa.Connection, kept_s: float) -> bool:
    """Whether `forget_expired` would change anything."""
    is_due = _is_expired_with_parts() | _is_past(kept_s)
    return connection.execute(sa.select(uploads.c.id).where(is_due).limit(1)).first() is not None


def forget_expired(connection: sa.Connection, kept_s: float) -> None:
    """Delete the parts of expired uploads, and uploads that expired `kept_s` seconds ago."""
    expired = connection.execute(sa.select(uploads.c.id).where(_is_expired_with_parts())).scalars().all()
    _delete_parts(connection, expired)
    connection.execute(sa.delete(uploads).where(_is_past(kept_s)))


def _is_expired_with_parts() -> Condition:
    has_parts = uploads.c.id.in_(sa.select(upload_parts.c.upload_id))
    return (uploads.c.expires_at < time.time()) & has_parts


def _is_past(kept_s: float) -> Condition:
    return uploads.c.expires_at < time.time() - kept_s


def _delete_parts(connection: sa.Connection, upload_ids: Sequence[str]) -> None:
    connection.execute(sa.delete(upload_parts).where(upload_parts.c.upload_id.in_(upload_ids)))
