"""Documents; see `rag.library.service.Library`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rag.catalog import documents, garbage, stores, versions
from rag.catalog.stores import Index
from rag.catalog.visibility import version_id
from rag.errors import Conflict, InvalidRequest, RagError
from rag.library.shelf import Shelf
from rag.readers import extract_json
from rag.records import (
    MAX_ATTRIBUTES,
    Cursor,
    DocumentRecord,
    Page,
    WorkStatus,
)
from rag.types import Attributes

_ATTRIBUTE_TRIES = 5


class DocumentShelf(Shelf):
    def documents(self, store: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        with self._database.read() as connection:
            return documents.page(connection, stores.resolve(connection, store).id, cursor, status)

    def document(self, store: str, file_id: str) -> DocumentRecord:
        with self._database.read() as connection:
            return documents.record(connection, stores.resolve(connection, store).id, file_id)

    def document_text(self, store: str, file_id: str) -> str:
        with self._database.read() as connection:
            row = documents.find(connection, stores.resolve(connection, store).id, file_id)
            version = versions.newest_readable(connection, row.id, file_id)
        if version is None:
            raise Conflict(f"no text has been read from {row.filename} yet", param="file_id")
        return extract_json.from_json(self._blobs.read(version.extract_id)).text

    def set_attributes(
        self,
        store: str,
        file_id: str,
        attributes: Attributes,
        *,
        merge: bool = False,
        removed: Collection[str] = (),
    ) -> DocumentRecord:
        for tries_left in reversed(range(_ATTRIBUTE_TRIES)):
            try:
                return self._set_attributes(store, file_id, attributes, merge, removed)
            except Conflict:  # the document changed between our two transactions
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    def _set_attributes(
        self, store: str, file_id: str, attributes: Attributes, merge: bool, removed: Collection[str]
    ) -> DocumentRecord:
        with self._database.write() as connection:
            store_id = stores.resolve(connection, store).id
            stores.lock(connection, store_id)
            row = documents.find(connection, store_id, file_id)
            if merge:
                attributes = _merged(documents.record(connection, store_id, file_id).attributes, attributes, removed)
            change = versions.change_attributes(connection, row, file_id, attributes)
            index = stores.active_index(connection, store_id)
        if change is not None:
            self._publish_copy(index, *change, attributes)
        return self.document(store_id, file_id)

    def _publish_copy(self, index: Index, source: Any, seq: int, attributes: Attributes) -> None:
        """Write the rows of a version once more with other attributes, and let questions see those."""
        try:
            copied = self._parts.store.copy(
                index.index_id,
                version_id(source.seq),
                version_id(seq),
                file_id=source.file_id,
                attributes=attributes,
            )
            with self._database.write() as connection:
                if copied == source.chunks:  # else the source went meanwhile, and its rows under our hands
                    versions.is_whole_in(connection, index.index_id, seq)
                if versions.publish(connection, index.store_id, [seq]):
                    raise Conflict("the document or its vector store was changed at the same time; try again")
        except RagError:
            with self._database.write() as connection:
                versions.cancel(connection, [seq])
            raise
        finally:
            with self._database.write() as connection:
                garbage.was_copied(connection, seq)
            self.on_garbage()

    def delete_document(self, store: str, file_id: str) -> None:
        with self._database.write() as connection:
            store_id = stores.resolve(connection, store).id
            stores.lock(connection, store_id)
            versions.remove_file(connection, documents.find(connection, store_id, file_id), file_id)
        self.on_garbage()


def _merged(old: Attributes, new: Attributes, removed: Collection[str]) -> Attributes:
    merged = {key: value for key, value in old.items() if key not in removed} | dict(new)
    if len(merged) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"attributes: there are {MAX_ATTRIBUTES} at most", param="attributes")
    return merged
