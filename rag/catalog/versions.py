"""How the versions of documents come and go. Every function that changes one runs with its store locked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from rag.catalog import documents, files
from rag.catalog import stores as store_rows
from rag.catalog.schema import documents as document_table
from rag.catalog.schema import index_versions, versions
from rag.errors import RagError
from rag.records import Strategy
from rag.types import Attributes, Change, Extract

_LIVE = ("pending", "visible")
_READING = ("extract_id", "media_type", "title", "language", "pages", "chunks")
"""Columns that say what was read of a version's bytes."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A change of a document that was accepted."""

    store_id: str
    filename: str
    file_id: str
    blob_id: str
    content_hash: str
    bytes: int
    chunking: Strategy
    attributes: Attributes = field(default_factory=dict)
    origin: str = ""

    @classmethod
    def of(cls, row: Any, **changes: Any) -> NewVersion:
        """The content of a row, of `versions` or of `files`, but for what `changes` says."""
        known = {own.name: row._mapping[own.name] for own in fields(cls) if own.name in row._mapping}
        return cls(**known | changes)


def accept(connection: sa.Connection, new: NewVersion) -> tuple[int, Change]:
    """The version that does what is asked: a new one, or the newest there is when nothing would change."""
    own_id = documents.put(connection, new.store_id, new.filename)
    wanted = (versions.c.document_id == own_id) & versions.c.state.in_(_LIVE)
    # A pending copy with other attributes is made by no job, and may still be given up: nothing can wait for it.
    newest = max(connection.execute(sa.select(versions).where(wanted)), key=_order, default=None)
    if newest is not None and _is_same(newest, new) and not (newest.generation and newest.state == "pending"):
        return newest.seq, "unchanged"
    seq = _insert(connection, own_id, new)
    return seq, "added" if newest is None else "replaced"


def _is_same(row: Any, new: NewVersion) -> bool:
    kept = (row.content_hash, row.file_id, row.attributes, row.chunking)
    return bool(kept == (new.content_hash, new.file_id, dict(new.attributes), dict(new.chunking)))


def _insert(connection: sa.Connection, document_id: str, new: NewVersion, **more: Any) -> int:
    values = {
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


def row(connection: sa.Connection, seq: int) -> Any:
    return connection.execute(sa.select(versions).where(versions.c.seq == seq)).one()


def rows(connection: sa.Connection, seqs: Iterable[int]) -> list[Any]:
    found = connection.execute(sa.select(versions).where(versions.c.seq.in_(list(seqs))).order_by(versions.c.seq))
    return list(found)


def visible_of(connection: sa.Connection, document_id: str) -> Any | None:
    wanted = (versions.c.document_id == document_id) & (versions.c.state == "visible")
    return connection.execute(sa.select(versions).where(wanted)).first()


def newest_readable(connection: sa.Connection, document_id: str, file_id: str) -> Any | None:
    """The version of a file whose text can be shown: the visible one, else the newest that was read."""
    own = (versions.c.document_id == document_id) & (versions.c.file_id == file_id)
    wanted = own & versions.c.extract_id.is_not(None)
    order = sa.case((versions.c.state == "visible", 0), else_=1)
    return connection.execute(sa.select(versions).where(wanted).order_by(order, versions.c.seq.desc())).first()


def reusable_version(connection: sa.Connection, version: Any, index_id: str) -> Any | None:
    """Another version of the document with the same text and cuts, whole in this index: its vectors will do."""
    wanted = (
        (versions.c.document_id == version.document_id)
        & (versions.c.content_hash == version.content_hash)
        & (versions.c.state == "visible")
        & (index_versions.c.index_id == index_id)
    )
    joined = sa.select(versions).join(index_versions, index_versions.c.seq == versions.c.seq).where(wanted)
    return next((row for row in connection.execute(joined) if row.chunking == version.chunking), None)


# --- on the way --------------------------------------------------------------------------------


def was_read(connection: sa.Connection, seq: int, extract: Extract, extract_id: str, chunks: int) -> None:
    connection.execute(
        sa.update(versions)
        .where(versions.c.seq == seq)
        .values(
            extract_id=extract_id,
            media_type=extract.media_type[:128],
            title=extract.title[:1000],
            language=extract.language[:64],
            pages=len(extract.pages),
            chunks=chunks,
            chunks_done=0,
        )
    )


def was_asked(connection: sa.Connection, seq: int, extract_id: str, chunks: int) -> None:
    """Note where its text is kept with the questions that were made of it, and how many chunks it has by them."""
    pending = (versions.c.seq == seq) & (versions.c.state == "pending")
    connection.execute(sa.update(versions).where(pending).values(extract_id=extract_id, chunks=chunks))


def take_reading(connection: sa.Connection, seq: int, source: Any) -> None:
    """What was read of the same bytes before."""
    connection.execute(sa.update(versions).where(versions.c.seq == seq).values(_reading(source)))


def _reading(source: Any) -> dict[str, Any]:
    return {name: getattr(source, name) for name in _READING}


def begin_writing(connection: sa.Connection, starts: Mapping[int, int]) -> list[Any]:
    """Note that rows of these may be in Milvus from now on. Those that are still pending, as they are.

    Args:
        starts: The first chunk that is written now, by version.
    """
    still = versions.c.seq.in_(starts) & (versions.c.state == "pending")
    pending = list(connection.execute(sa.select(versions).where(still)))
    for version in pending:
        # Changed since its first chunks were written, it has rows of both kinds, and must be written once more.
        is_one = starts[version.seq] == 0 or version.attributes_written == version.attributes
        written = version.attributes if is_one else None
        of_it = versions.c.seq == version.seq
        connection.execute(sa.update(versions).where(of_it).values(dirty=True, attributes_written=written))
    return pending


def got_to(connection: sa.Connection, ends: Mapping[int, int]) -> None:
    """Note how many chunks of each version are written."""
    for seq, end in ends.items():
        behind = (versions.c.seq == seq) & (versions.c.chunks_done < end)
        connection.execute(sa.update(versions).where(behind).values(chunks_done=end))


def is_whole_in(connection: sa.Connection, index_id: str, seq: int) -> None:
    """Note that an index holds all chunks of a version."""
    known = sa.select(index_versions.c.seq).where(index_versions.c.index_id == index_id, index_versions.c.seq == seq)
    if connection.execute(known).first() is None:
        connection.execute(sa.insert(index_versions).values(index_id=index_id, seq=seq))


def missing_in(connection: sa.Connection, store_id: str, index_id: str, limit: int | None = None) -> list[Any]:
    """Visible versions of the store that an index does not hold."""
    held = sa.select(index_versions.c.seq).where(index_versions.c.index_id == index_id)
    wanted = (versions.c.store_id == store_id) & (versions.c.state == "visible") & versions.c.seq.not_in(held)
    return list(connection.execute(sa.select(versions).where(wanted).order_by(versions.c.seq).limit(limit)))


def visible_totals(connection: sa.Connection, store_id: str) -> tuple[int, int]:
    """Visible versions of a store, and their chunks."""
    columns = (sa.func.count(), sa.func.coalesce(sa.func.sum(versions.c.chunks), 0))
    wanted = (versions.c.store_id == store_id) & (versions.c.state == "visible")
    files_count, chunks = connection.execute(sa.select(*columns).where(wanted)).one()
    return int(files_count), int(chunks)


# --- the ends ----------------------------------------------------------------------------------


def publish(connection: sa.Connection, store_id: str, seqs: Sequence[int]) -> list[int]:
    """Let questions see these versions, and no longer those that they replace: in one revision.

    Returns:
        Those that must be written once more first: the store moved to another index meanwhile, or their
        attributes were changed.
    """
    store_rows.lock(connection, store_id)
    index = store_rows.active_index(connection, store_id)
    revision: int | None = None
    again: list[int] = []
    for version in rows(connection, seqs):
        if version.state != "pending":
            continue
        if not _is_written(connection, version, index.index_id):
            again.append(version.seq)
            continue
        if revision is None:
            revision = store_rows.next_revision(connection, store_id)
        _publish_one(connection, version, revision)
    return again


def _is_written(connection: sa.Connection, version: Any, index_id: str) -> bool:
    wanted = (index_versions.c.index_id == index_id) & (index_versions.c.seq == version.seq)
    held = connection.execute(sa.select(index_versions.c.seq).where(wanted)).first()
    return held is not None and version.attributes_written == version.attributes


def _publish_one(connection: sa.Connection, version: Any, revision: int) -> None:
    now = time.time()
    before = visible_of(connection, version.document_id)
    if before is not None and _order(before) > _order(version):
        _end(connection, versions.c.seq == version.seq, "superseded", finished_at=now)
        return
    if before is not None:
        _end(connection, versions.c.seq == before.seq, "retired", died=revision, died_at=now)
    _end(
        connection,
        versions.c.seq == version.seq,
        "visible",
        born=revision,
        finished_at=now,
        chunks_done=versions.c.chunks,
    )
    if version.file_id == documents.ingested_file_id(version.store_id, version.filename):
        files.set_content(connection, version)


def _order(version: Any) -> tuple[int, int]:
    return (version.seq if version.generation is None else version.generation), version.seq


def fail(connection: sa.Connection, seq: int, error: RagError) -> None:
    pending = (versions.c.seq == seq) & (versions.c.state == "pending")
    why = {"error_code": error.code, "error_message": error.message, "finished_at": time.time()}
    _end(connection, pending, "failed", **why)


def cancel(connection: sa.Connection, seqs: Sequence[int]) -> None:
    pending = versions.c.seq.in_(seqs) & (versions.c.state == "pending")
    _end(connection, pending, "cancelled", finished_at=time.time())


def remove_document(connection: sa.Connection, document: Any) -> None:
    """Take a document out of its store: what is visible of it dies, what is on its way is cancelled."""
    _end_all(connection, document.store_id, versions.c.document_id == document.id)
    connection.execute(sa.delete(document_table).where(document_table.c.id == document.id))


def remove_file(connection: sa.Connection, document: Any, file_id: str) -> None:
    """Take a file out of a document; another that takes its place, or that it was to replace, stays."""
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


def _end_all(connection: sa.Connection, store_id: str, own: Any) -> None:
    now = time.time()
    revision = store_rows.next_revision(connection, store_id)
    _end(connection, own & (versions.c.state == "visible"), "retired", died=revision, died_at=now)
    _end(connection, own & (versions.c.state == "pending"), "cancelled", finished_at=now)


def change_attributes(
    connection: sa.Connection, document: Any, file_id: str, attributes: Attributes
) -> tuple[Any, int] | None:
    """Give a file in the document other attributes: what jobs have on their way of it gets them at once.

    Returns:
        The visible version and the one that shall follow it, whose rows are still to be written; None when there is
        nothing to write.
    """
    own = (versions.c.document_id == document.id) & (versions.c.file_id == file_id) & (versions.c.state == "pending")
    copied = versions.c.generation.is_not(None)  # for another change of attributes, which comes before this one
    connection.execute(sa.update(versions).where(own & ~copied).values(attributes=dict(attributes)))
    visible = visible_of(connection, document.id)
    if visible is None or visible.file_id != file_id or visible.attributes == dict(attributes):
        return None
    new = NewVersion.of(visible, attributes=attributes)
    more = {"generation": _order(visible)[0], "dirty": True, "attributes_written": dict(attributes)}
    return visible, _insert(connection, document.id, new, **_reading(visible), **more)


def _end(connection: sa.Connection, wanted: Any, state: str, **values: Any) -> None:
    connection.execute(sa.update(versions).where(wanted).values(state=state, **values))
