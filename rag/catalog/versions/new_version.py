"""Creates versions: of an uploaded file, or of a change of attributes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import sqlalchemy as sa

from rag.catalog import documents
from rag.catalog.rows import LIVE, DocumentRow, FileRow, VersionRow, read_rows
from rag.catalog.schema import versions
from rag.catalog.versions.queries import visible_version
from rag.catalog.versions.writing import extract_values
from rag.records import Strategy
from rag.types import Attributes, Change


@dataclass(frozen=True, slots=True)
class NewVersion:
    """An accepted change of a document."""

    store_id: str
    filename: str
    file_id: str
    blob_id: str | None
    content_hash: str
    bytes: int
    chunking: Strategy
    attributes: Attributes = field(default_factory=dict)
    origin: str = ""

    @classmethod
    def of_file(
        cls, file: FileRow, *, store_id: str, chunking: Strategy, attributes: Attributes, origin: str
    ) -> NewVersion:
        """A file as the new content of its document in a store."""
        return cls(
            store_id,
            file.filename,
            file.id,
            file.blob_id,
            file.content_hash,
            file.bytes,
            chunking,
            attributes,
            origin,
        )

    @classmethod
    def of_version(cls, version: VersionRow, attributes: Attributes | None = None) -> NewVersion:
        """The same content once more, with other attributes if they are given."""
        return cls(
            version.store_id,
            version.filename,
            version.file_id,
            version.blob_id,
            version.content_hash,
            version.bytes,
            version.chunking,
            version.attributes if attributes is None else attributes,
            version.origin,
        )


def accept(connection: sa.Connection, new: NewVersion) -> tuple[int, Change]:
    """Insert the version, unless the newest one is the same already. Returns its number, and what has changed."""
    own_id = documents.put(connection, new.store_id, new.filename)
    wanted = (versions.c.document_id == own_id) & versions.c.state.in_(LIVE)
    live = read_rows(connection, VersionRow, sa.select(versions).where(wanted))
    newest = max(live, key=lambda version: version.order, default=None)
    # A pending change of attributes belongs to no job and may still be cancelled: a job must not wait for it.
    if newest is not None and _is_same(newest, new) and not (newest.generation and newest.state == "pending"):
        return newest.seq, "unchanged"
    return _insert(connection, own_id, new), "added" if newest is None else "replaced"


def _is_same(version: VersionRow, new: NewVersion) -> bool:
    present = (version.content_hash, version.file_id, version.attributes, version.chunking)
    return present == (new.content_hash, new.file_id, dict(new.attributes), dict(new.chunking))


def change_attributes(
    connection: sa.Connection, document: DocumentRow, file_id: str, attributes: Attributes
) -> tuple[VersionRow, int] | None:
    """Give a file of a document other attributes. Its pending versions that belong to jobs get them at once.

    Returns:
        The visible version and the number of the one that will replace it, whose rows are still to be written. None
        if there is nothing to write.
    """
    is_pending = (
        (versions.c.document_id == document.id) & (versions.c.file_id == file_id) & (versions.c.state == "pending")
    )
    is_copy = versions.c.generation.is_not(None)  # of an earlier change of attributes, which comes before this one
    connection.execute(sa.update(versions).where(is_pending & ~is_copy).values(attributes=dict(attributes)))
    visible = visible_version(connection, document.id)
    if visible is None or visible.file_id != file_id or visible.attributes == dict(attributes):
        return None
    new = NewVersion.of_version(visible, attributes)
    more: dict[str, object] = {
        "generation": visible.order[0],
        "dirty": True,
        "attributes_written": dict(attributes),
    }
    return visible, _insert(connection, document.id, new, **extract_values(visible), **more)


def _insert(connection: sa.Connection, document_id: str, new: NewVersion, **more: object) -> int:
    values: dict[str, object] = {
        "document_id": document_id,
        "store_id": new.store_id,
        "filename": new.filename,
        "file_id": new.file_id,
        "blob_id": new.blob_id,
        "content_hash": new.content_hash,
        "bytes": new.bytes,
        "attributes": dict(new.attributes),
        "chunking": dict(new.chunking),
        "origin": new.origin,
        "state": "pending",
        "created_at": time.time(),
    }
    inserted = connection.execute(sa.insert(versions).values(values | more).returning(versions.c.seq))
    return int(inserted.scalar_one())
