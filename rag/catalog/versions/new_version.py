"""Creates versions: of an uploaded file, or of a change of attributes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from rag.catalog import groups
from rag.catalog.documents import documents, files, stores
from rag.catalog.tables.rows import LIVE, DocumentRow, FileRow, VersionRow, read_rows
from rag.catalog.tables.schema import versions
from rag.catalog.versions.queries import get, visible_version
from rag.catalog.versions.writing import extract_values
from rag.errors import Conflict
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
    read_groups: Sequence[str] | None = None
    """None: as the document has now, or its file."""

    @classmethod
    def of_file(
        cls,
        file: FileRow,
        *,
        store_id: str,
        chunking: Strategy,
        attributes: Attributes,
        origin: str,
        read_groups: Sequence[str] | None = None,
    ) -> NewVersion:
        """A file as the new content of its document in a store. `read_groups`: None for those of the file, if any."""
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
            (file.read_groups or None) if read_groups is None else read_groups,
        )

    @classmethod
    def of_version(
        cls, version: VersionRow, attributes: Attributes | None = None, read_groups: Sequence[str] | None = None
    ) -> NewVersion:
        """The same content once more, with other attributes and read groups if they are given."""
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
            (version.read_groups or ()) if read_groups is None else read_groups,
        )


def accept(connection: sa.Connection, new: NewVersion) -> tuple[int, Change]:
    """Insert the version, unless the newest one is the same already. Returns its number, and what has changed.

    Raises:
        Conflict: the caller may not read the document that this would replace.
        InvalidRequest: the caller could not read the version.
    """
    own_id = documents.put(connection, new.store_id, new.filename)
    wanted = (versions.c.document_id == own_id) & versions.c.state.in_(LIVE)
    live = read_rows(connection, VersionRow, sa.select(versions).where(wanted))
    if any(not groups.is_readable(version.read_groups) for version in live):
        raise Conflict(f"the vector store has a document {new.filename!r} that you may not read", param="files")
    newest = max(live, key=lambda version: version.order, default=None)
    new = replace(new, read_groups=_read_groups(connection, new, newest))
    # A pending change of attributes belongs to no job and may still be cancelled: a job must not wait for it.
    if newest is not None and _is_same(newest, new) and not (newest.generation and newest.state == "pending"):
        return newest.seq, "unchanged"
    groups.check_own(new.read_groups or ())
    stores.add_read_groups(connection, new.store_id, new.read_groups or ())
    return _insert(connection, own_id, new), "added" if newest is None else "replaced"


def _read_groups(connection: sa.Connection, new: NewVersion, newest: VersionRow | None) -> Sequence[str]:
    if new.read_groups is not None:
        return new.read_groups
    return files.read_groups(connection, new.file_id) if newest is None else newest.read_groups or ()


def _is_same(version: VersionRow, new: NewVersion) -> bool:
    present = (version.content_hash, version.file_id, version.attributes, version.chunking)
    wanted = (new.content_hash, new.file_id, dict(new.attributes), dict(new.chunking))
    return present == wanted and set(version.read_groups or ()) == set(new.read_groups or ())


def change_attributes(
    connection: sa.Connection,
    document: DocumentRow,
    file_id: str,
    attributes: Attributes,
    read_groups: Sequence[str] | None = None,
) -> tuple[VersionRow, VersionRow] | None:
    """Give a file of a document other attributes, and the document other read groups if they are given.

    Its pending versions that belong to jobs get them at once.

    Returns:
        The visible version and the one that will replace it, whose rows are still to be written. None if there is
        nothing to write.

    Raises:
        InvalidRequest: the caller could not read the document any more.
    """
    # Not those of an earlier change of attributes, which come before this one.
    is_pending = (
        (versions.c.document_id == document.id) & (versions.c.state == "pending") & versions.c.generation.is_(None)
    )
    of_file = is_pending & (versions.c.file_id == file_id)
    connection.execute(sa.update(versions).where(of_file).values(attributes=dict(attributes)))
    if read_groups is not None:
        groups.check_own(read_groups)
        stores.add_read_groups(connection, document.store_id, read_groups)
        # Rows that are written already have other groups: without a note of what is written, all are written again.
        values = {"read_groups": list(read_groups) or None, "attributes_written": None}
        connection.execute(sa.update(versions).where(is_pending).values(values))
    visible = visible_version(connection, document.id)
    if visible is None or visible.file_id != file_id:
        return None
    new = NewVersion.of_version(visible, attributes, read_groups)
    if _is_same(visible, new):
        return None
    more: dict[str, object] = {
        "generation": visible.order[0],
        "dirty": True,
        "attributes_written": dict(attributes),
    }
    return visible, get(connection, _insert(connection, document.id, new, **extract_values(visible), **more))


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
        "read_groups": list(new.read_groups or ()) or None,
        "state": "pending",
        "created_at": time.time(),
    }
    inserted = connection.execute(sa.insert(versions).values(values | more).returning(versions.c.seq))
    return int(inserted.scalar_one())
