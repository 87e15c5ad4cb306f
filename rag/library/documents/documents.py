"""Operations on the documents of a vector store."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rag.catalog import versions
from rag.catalog.documents import documents, garbage, stores
from rag.catalog.documents.stores import Index
from rag.catalog.documents.visibility import version_id
from rag.catalog.tables.rows import VersionRow
from rag.errors import Conflict, InvalidRequest, RagError
from rag.library.resources import LibraryResources
from rag.readers.extract import extract_json
from rag.records import MAX_ATTRIBUTES, Cursor, DocumentRecord, DocumentSort, Page, WorkStatus
from rag.types import Attributes, Chunk, Extract, chunk_id_of

_ATTRIBUTE_ATTEMPTS = 5


def page(
    resources: LibraryResources,
    store: str,
    cursor: Cursor,
    status: WorkStatus | None,
    *,
    name: str,
    sort: DocumentSort,
) -> Page[DocumentRecord]:
    with resources.database.read() as connection:
        store_id = stores.resolve(connection, store).id
        return documents.page(connection, store_id, cursor, status, name=name, sort=sort)


def get(resources: LibraryResources, store: str, file_id: str) -> DocumentRecord:
    with resources.database.read() as connection:
        return documents.record(connection, stores.resolve(connection, store).id, file_id)


def versions_of(
    resources: LibraryResources, store: str, file_id: str, *, limit: int, before: int | None
) -> Page[DocumentRecord]:
    with resources.database.read() as connection:
        document = documents.find(connection, stores.resolve(connection, store).id, file_id)
        rows = versions.history(connection, document.id, limit + 1, before)
    records = [
        documents.to_record(row, created_at=row.created_at, searchable=row.state == "visible") for row in rows[:limit]
    ]
    return Page(records, has_more=len(rows) > limit)


def extract(resources: LibraryResources, store: str, file_id: str) -> Extract:
    with resources.database.read() as connection:
        document = documents.find(connection, stores.resolve(connection, store).id, file_id)
        version = versions.newest_with_text(connection, document.id, file_id)
    if version is None or version.extract_id is None:
        raise Conflict(f"no text has been extracted from {document.filename} yet", param="file_id")
    return extract_json.from_json(resources.blobs.read(version.extract_id))


def passages(
    resources: LibraryResources, store: str, file_id: str, *, limit: int, after: str | None = None
) -> Page[Chunk]:
    with resources.database.read() as connection:
        store_id = stores.resolve(connection, store).id
        document = documents.find(connection, store_id, file_id)
        version = versions.newest_with_text(connection, document.id, file_id)
        index = stores.active_index(connection, store_id)
    if version is None or version.state != "visible":
        raise Conflict(f"{document.filename} is not searchable yet", param="file_id")
    ids = [chunk_id_of(version_id(version.seq), ordinal) for ordinal in range(version.chunks)]
    if after is not None and after not in ids:
        raise InvalidRequest(f"after: the document has no passage {after[:80]!r}", param="after")
    first = 0 if after is None else ids.index(after) + 1
    chunks = resources.store.chunks(index.index_id, ids[first : first + limit])
    return Page(sorted(chunks, key=lambda chunk: chunk.chunk_id), has_more=first + limit < len(ids))


def set_attributes(
    resources: LibraryResources,
    store: str,
    file_id: str,
    attributes: Attributes,
    *,
    merge: bool = False,
    removed: Collection[str] = (),
    read_groups: Sequence[str] | None = None,
) -> DocumentRecord:
    for attempts_left in reversed(range(_ATTRIBUTE_ATTEMPTS)):
        try:
            return _set_attributes(resources, store, file_id, attributes, merge, removed, read_groups)
        except Conflict:  # the document changed between our two transactions
            if not attempts_left:
                raise
    raise AssertionError("unreachable")


def _set_attributes(
    resources: LibraryResources,
    store: str,
    file_id: str,
    attributes: Attributes,
    merge: bool,
    removed: Collection[str],
    read_groups: Sequence[str] | None,
) -> DocumentRecord:
    with resources.database.write() as connection:
        store_id = stores.resolve(connection, store).id
        stores.lock(connection, store_id)
        document = documents.find(connection, store_id, file_id)
        if merge:
            attributes = _merged(documents.record(connection, store_id, file_id).attributes, attributes, removed)
        change = versions.change_attributes(connection, document, file_id, attributes, read_groups)
        index = stores.active_index(connection, store_id)
    if change is not None:
        _publish_copy(resources, index, *change)
    return get(resources, store_id, file_id)


def _publish_copy(resources: LibraryResources, index: Index, source: VersionRow, new: VersionRow) -> None:
    """Copy the rows of a version for a new one with other attributes or read groups, and make that visible instead."""
    try:
        copied = resources.store.copy(
            index.index_id,
            version_id(source.seq),
            version_id(new.seq),
            file_id=source.file_id,
            attributes=new.attributes,
            read_groups=new.read_groups or (),
        )
        with resources.database.write() as connection:
            if copied == source.chunks:  # otherwise the source was removed while it was copied
                versions.mark_indexed(connection, index.index_id, new.seq)
            if versions.publish(connection, index.store_id, [new.seq]):
                raise Conflict("the document or its vector store was changed at the same time; try again")
    except RagError:
        with resources.database.write() as connection:
            versions.cancel(connection, [new.seq])
        raise
    finally:
        with resources.database.write() as connection:
            garbage.mark_dirty_if_ended(connection, new.seq)
        resources.request_cleanup()


def delete(resources: LibraryResources, store: str, file_id: str) -> None:
    with resources.database.write() as connection:
        store_id = stores.resolve(connection, store).id
        stores.lock(connection, store_id)
        versions.remove_file(connection, documents.find(connection, store_id, file_id), file_id)
    resources.request_cleanup()


def _merged(old: Attributes, new: Attributes, removed: Collection[str]) -> Attributes:
    merged = {key: value for key, value in old.items() if key not in removed} | dict(new)
    if len(merged) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"attributes: at most {MAX_ATTRIBUTES} are allowed", param="attributes")
    return merged
