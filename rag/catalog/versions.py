"""Versions of documents and their transitions. Every function that changes a version needs its store to be locked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from rag.catalog import documents, files
from rag.catalog import stores as store_rows
from rag.catalog.rows import Condition, DocumentRow, FileRow, VersionRow, VersionState, read_first, read_row, read_rows
from rag.catalog.schema import documents as document_table
from rag.catalog.schema import index_versions, versions
from rag.errors import RagError
from rag.records import Strategy
from rag.types import Attributes, Change, Extract

_LIVE = ("pending", "visible")


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
    wanted = (versions.c.document_id == own_id) & versions.c.state.in_(_LIVE)
    live = read_rows(connection, VersionRow, sa.select(versions).where(wanted))
    newest = max(live, key=lambda version: version.order, default=None)
    # A pending change of attributes belongs to no job and may still be cancelled: a job must not wait for it.
    if newest is not None and _is_same(newest, new) and not (newest.generation and newest.state == "pending"):
        return newest.seq, "unchanged"
    return _insert(connection, own_id, new), "added" if newest is None else "replaced"


def _is_same(version: VersionRow, new: NewVersion) -> bool:
    present = (version.content_hash, version.file_id, version.attributes, version.chunking)
    return present == (new.content_hash, new.file_id, dict(new.attributes), dict(new.chunking))


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


def get(connection: sa.Connection, seq: int) -> VersionRow:
    return read_row(VersionRow, connection.execute(sa.select(versions).where(versions.c.seq == seq)).one())


def get_many(connection: sa.Connection, seqs: Iterable[int]) -> list[VersionRow]:
    wanted = sa.select(versions).where(versions.c.seq.in_(list(seqs))).order_by(versions.c.seq)
    return read_rows(connection, VersionRow, wanted)


def visible_version(connection: sa.Connection, document_id: str) -> VersionRow | None:
    wanted = (versions.c.document_id == document_id) & (versions.c.state == "visible")
    return read_first(connection, VersionRow, sa.select(versions).where(wanted))


def newest_with_text(connection: sa.Connection, document_id: str, file_id: str) -> VersionRow | None:
    """The version of a file whose text can be shown: the visible one, otherwise the newest with an extract."""
    wanted = (
        (versions.c.document_id == document_id) & (versions.c.file_id == file_id) & versions.c.extract_id.is_not(None)
    )
    order = sa.case((versions.c.state == "visible", 0), else_=1)
    statement = sa.select(versions).where(wanted).order_by(order, versions.c.seq.desc())
    return read_first(connection, VersionRow, statement)


def reusable_version(connection: sa.Connection, version: VersionRow, index_id: str) -> VersionRow | None:
    """A visible version of the same document with the same text and chunking, whose vectors are all in this index."""
    wanted = (
        (versions.c.document_id == version.document_id)
        & (versions.c.content_hash == version.content_hash)
        & (versions.c.state == "visible")
        & (index_versions.c.index_id == index_id)
    )
    joined = sa.select(versions).join(index_versions, index_versions.c.seq == versions.c.seq).where(wanted)
    rows = read_rows(connection, VersionRow, joined)
    return next((row for row in rows if row.chunking == version.chunking), None)


# --- processing --------------------------------------------------------------------------------


def record_extract(connection: sa.Connection, seq: int, extract: Extract, extract_id: str, chunks: int) -> None:
    """Store what was extracted from a version's file, and the number of its chunks."""
    connection.execute(
        sa.update(versions)
        .where(versions.c.seq == seq)
        .values(
            extract_id=extract_id,
            media_type=extract.media_type[:128],
            title=extract.title[:1000],
            language=extract.language[:64],
            pages=len(extract.pages),
            warnings=list(extract.warnings) or None,
            chunks=chunks,
            chunks_done=0,
        )
    )


def record_questions(connection: sa.Connection, seq: int, extract_id: str, chunks: int) -> None:
    """Store where the extract with the generated questions is, and the number of chunks that includes them."""
    is_pending = (versions.c.seq == seq) & (versions.c.state == "pending")
    connection.execute(sa.update(versions).where(is_pending).values(extract_id=extract_id, chunks=chunks))


def copy_extract(connection: sa.Connection, seq: int, source: VersionRow) -> None:
    """Give a version the extract of another one with the same bytes."""
    connection.execute(sa.update(versions).where(versions.c.seq == seq).values(_extract_values(source)))


def _extract_values(version: VersionRow) -> dict[str, object]:
    """The columns that describe what was extracted from a version's file."""
    return {
        "extract_id": version.extract_id,
        "media_type": version.media_type,
        "title": version.title,
        "language": version.language,
        "pages": version.pages,
        "warnings": version.warnings,
        "chunks": version.chunks,
    }


def begin_writing(connection: sa.Connection, starts: Mapping[int, int]) -> list[VersionRow]:
    """Note that Milvus may hold rows of these versions from now on. Returns those that are still pending.

    Args:
        starts: The first chunk that is written now, by version.
    """
    is_pending = versions.c.seq.in_(starts) & (versions.c.state == "pending")
    pending = read_rows(connection, VersionRow, sa.select(versions).where(is_pending))
    for version in pending:
        # If the attributes changed after the first chunks were written, its rows differ, and all are written again.
        is_uniform = starts[version.seq] == 0 or version.attributes_written == version.attributes
        written = version.attributes if is_uniform else None
        own = versions.c.seq == version.seq
        connection.execute(sa.update(versions).where(own).values(dirty=True, attributes_written=written))
    return pending


def record_progress(connection: sa.Connection, chunks_done: Mapping[int, int]) -> None:
    """Store how many chunks of each version are written."""
    for seq, count in chunks_done.items():
        is_behind = (versions.c.seq == seq) & (versions.c.chunks_done < count)
        connection.execute(sa.update(versions).where(is_behind).values(chunks_done=count))


def mark_indexed(connection: sa.Connection, index_id: str, seq: int) -> None:
    """Note that an index holds all chunks of a version."""
    known = sa.select(index_versions.c.seq).where(index_versions.c.index_id == index_id, index_versions.c.seq == seq)
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(index_versions).values(index_id=index_id, seq=seq))


def missing_from_index(
    connection: sa.Connection, store_id: str, index_id: str, limit: int | None = None
) -> list[VersionRow]:
    """Visible versions of the store that are not, or not completely, in an index."""
    indexed = sa.select(index_versions.c.seq).where(index_versions.c.index_id == index_id)
    wanted = (versions.c.store_id == store_id) & (versions.c.state == "visible") & versions.c.seq.not_in(indexed)
    return read_rows(connection, VersionRow, sa.select(versions).where(wanted).order_by(versions.c.seq).limit(limit))


def visible_totals(connection: sa.Connection, store_id: str) -> tuple[int, int]:
    """The numbers of visible versions of a store and of their chunks."""
    columns = (sa.func.count(), sa.func.coalesce(sa.func.sum(versions.c.chunks), 0))
    wanted = (versions.c.store_id == store_id) & (versions.c.state == "visible")
    files_count, chunks = connection.execute(sa.select(*columns).where(wanted)).one()
    return int(files_count), int(chunks)


# --- transitions -------------------------------------------------------------------------------


def publish(connection: sa.Connection, store_id: str, seqs: Sequence[int]) -> list[int]:
    """Make these versions visible and retire those that they replace, in one revision.

    Returns:
        The versions that must be written again first, because the store was moved to another index or their
        attributes were changed meanwhile.
    """
    store_rows.lock(connection, store_id)
    index = store_rows.active_index(connection, store_id)
    revision: int | None = None
    outdated: list[int] = []
    for version in get_many(connection, seqs):
        if version.state != "pending":
            continue
        if not _is_written(connection, version, index.index_id):
            outdated.append(version.seq)
            continue
        if revision is None:
            revision = store_rows.next_revision(connection, store_id)
        _publish_one(connection, version, revision)
    return outdated


def _is_written(connection: sa.Connection, version: VersionRow, index_id: str) -> bool:
    wanted = (index_versions.c.index_id == index_id) & (index_versions.c.seq == version.seq)
    indexed = connection.execute(sa.select(index_versions.c.seq).where(wanted)).first()
    return indexed is not None and version.attributes_written == version.attributes


def _publish_one(connection: sa.Connection, version: VersionRow, revision: int) -> None:
    own, now = versions.c.seq == version.seq, time.time()
    previous = visible_version(connection, version.document_id)
    if previous is not None and previous.order > version.order:
        _set_state(connection, own, "superseded", finished_at=now)
        return
    if previous is not None:
        _retire(connection, versions.c.seq == previous.seq, revision)
    _set_state(connection, own, "visible", valid_from=revision, finished_at=now, chunks_done=versions.c.chunks)
    if version.file_id == documents.ingested_file_id(version.store_id, version.filename):
        files.set_content(connection, version)


def fail(connection: sa.Connection, seq: int, error: RagError) -> None:
    is_pending = (versions.c.seq == seq) & (versions.c.state == "pending")
    _set_state(
        connection,
        is_pending,
        "failed",
        error_code=error.code,
        error_message=error.message,
        finished_at=time.time(),
    )


def cancel(connection: sa.Connection, seqs: Sequence[int]) -> None:
    is_pending = versions.c.seq.in_(seqs) & (versions.c.state == "pending")
    _set_state(connection, is_pending, "cancelled", finished_at=time.time())


def remove_document(connection: sa.Connection, document: DocumentRow) -> None:
    """Remove a document from its store: its visible version is retired, its pending versions are cancelled."""
    _end_all(connection, document.store_id, versions.c.document_id == document.id)
    connection.execute(sa.delete(document_table).where(document_table.c.id == document.id))


def remove_file(connection: sa.Connection, document: DocumentRow, file_id: str) -> None:
    """Remove a file from a document. Another file that is replacing it, or that it was replacing, stays."""
    of_document = versions.c.document_id == document.id
    others = of_document & (versions.c.file_id != file_id)
    order = versions.c.seq.desc()
    newest = connection.execute(sa.select(versions.c.file_id).where(of_document).order_by(order)).scalar()
    live = connection.execute(sa.select(versions.c.seq).where(others, versions.c.state.in_(_LIVE))).first()
    if live is None and newest == file_id:
        remove_document(connection, document)
        return
    own = of_document & (versions.c.file_id == file_id)
    _end_all(connection, document.store_id, own)
    connection.execute(sa.update(versions).where(own).values(removed=True))


def _end_all(connection: sa.Connection, store_id: str, wanted: Condition) -> None:
    revision = store_rows.next_revision(connection, store_id)
    _retire(connection, wanted & (versions.c.state == "visible"), revision)
    _set_state(connection, wanted & (versions.c.state == "pending"), "cancelled", finished_at=time.time())


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
    return visible, _insert(connection, document.id, new, **_extract_values(visible), **more)


def _retire(connection: sa.Connection, wanted: Condition, revision: int) -> None:
    _set_state(connection, wanted, "retired", valid_to=revision, retired_at=time.time())


def _set_state(connection: sa.Connection, wanted: Condition, state: VersionState, **values: object) -> None:
    connection.execute(sa.update(versions).where(wanted).values({"state": state, **values}))
