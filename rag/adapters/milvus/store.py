"""Milvus, a server or a Milvus Lite file, as a VectorStore. Only this package imports pymilvus."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

from rag.adapters.milvus.collections import MilvusCollections
from rag.adapters.milvus.connection import MilvusConnection
from rag.adapters.milvus.filter import Restriction, filter_arguments
from rag.adapters.milvus.index import Indexes
from rag.adapters.milvus.pymilvus_types import ChunkRow, QueryIterator
from rag.adapters.milvus.rows import chunk_of, sparse_row
from rag.adapters.milvus.search import MilvusSearch
from rag.keywords import checked_language
from rag.ports import Vectors
from rag.retrieve.search.filters import milvus_literal
from rag.types import Attributes, Chunk, FilterObject, Match, SparseVector

INSERT_ROWS = 192
"""Rows in one insert: at most about 45 MB, with the longest texts and contexts. Milvus accepts 64 MB."""
LITE_INSERT_ROWS = 64
"""Rows in one insert on Milvus Lite, which takes about 50 ms. Searches wait for it."""
FLUSH_ROWS = 100
"""Rows inserted before Milvus Lite is flushed: it scans unflushed rows one by one (docs/bentoml_issues.md#m6)."""
_PAGE_ROWS = 512  # at most about 90 MB, with the longest texts and contexts; servers return up to 100 MB
_IDS_PER_PAGE = 4096
_VERSIONS_PER_DELETE = 100


class MilvusStore:
    """Collections of chunks in Milvus. Implements `rag.ports.VectorStore`.

    It connects at the first call, and connects again at the next call if that failed.

    Args:
        uri: A file that ends in `.db` (Milvus Lite, one process at a time), or the URL of a server.
        prefix: Prepended to the names of collections and aliases.
        indexes: Of collections created from now on; existing ones keep theirs. Search parameters apply to all
            collections whose index has them.
        language: Of the keyword path of collections created from now on: words are stemmed, and stop words removed, in
            this language. Empty: words are used as they are.
        oversampling: Candidates per requested hit in searches of sign bits.

    Raises:
        SetupError: the language is unknown.
    """

    def __init__(
        self,
        uri: str,
        token: str | None = None,
        prefix: str = "rag_",
        timeout_s: float = 30.0,
        *,
        indexes: Indexes | None = None,
        language: str = "english",
        oversampling: int = 8,
    ) -> None:
        indexes = indexes or Indexes()
        self.connection = MilvusConnection(uri, token, prefix, timeout_s)
        self._collections = MilvusCollections(self.connection, indexes, checked_language(language))
        self._search = MilvusSearch(self.connection, indexes.dense.search, oversampling)
        self._timeout_s = timeout_s
        self._unflushed: Counter[str] = Counter()

    # --- collections -------------------------------------------------------------------------

    def create(self, collection: str, dimensions: int, model_name: str, *, sparse_model: str = "") -> None:
        self._collections.create(collection, self._collections.new_note(model_name, dimensions, sparse_model))

    def drop(self, collection: str) -> None:
        self._collections.drop(collection)
        self._unflushed.pop(self.connection.name(collection), None)

    def exists(self, collection: str) -> bool:
        return self._collections.exists(collection)

    def point_alias(self, alias: str, collection: str) -> None:
        self._collections.point_alias(alias, collection)

    def drop_alias(self, alias: str) -> None:
        self._collections.drop_alias(alias)

    # --- rows --------------------------------------------------------------------------------

    def insert(
        self,
        collection: str,
        chunks: Sequence[Chunk],
        vectors: Vectors,
        sparse: Sequence[SparseVector] | None = None,
        *,
        again: bool = False,
    ) -> None:
        with self.connection.access(collection):
            loaded = self.connection.load(collection)
        if (sparse is not None) != ("sparse" in loaded.fields):
            raise ValueError(
                "sparse vectors must be given for every chunk if the collection has a sparse model, and for none if not"
            )
        terms: Sequence[SparseVector | None] = [None] * len(chunks) if sparse is None else sparse
        rows_per_insert = LITE_INSERT_ROWS if self.connection.is_lite else INSERT_ROWS
        for start in range(0, len(chunks), rows_per_insert):
            part = slice(start, start + rows_per_insert)
            rows = [
                loaded.row(chunk, vector, weights)
                for chunk, vector, weights in zip(chunks[part], vectors[part], terms[part], strict=True)
            ]
            with self.connection.access(collection, operation="insert"):
                if again:
                    ids = [chunk.chunk_id for chunk in chunks[part]]
                    self.connection.client().delete(loaded.name, ids=ids, timeout=self._timeout_s)
                self.connection.client().insert(loaded.name, rows, timeout=self._timeout_s)
                self._flush_if_due(loaded.name, len(rows))

    def copy(
        self,
        collection: str,
        version_id: str,
        to_version_id: str,
        *,
        file_id: str,
        attributes: Attributes,
        read_groups: Sequence[str] = (),
    ) -> int:
        self.delete(collection, [to_version_id])
        copied = 0
        with self.connection.access(collection):
            loaded = self.connection.load(collection)
        has_sparse = "sparse" in loaded.fields
        expression = f"version_id == {milvus_literal(version_id)}"
        fields = [*loaded.chunk_fields, loaded.vector_field, *(["sparse"] if has_sparse else [])]
        for rows in self._pages(collection, expression, fields, INSERT_ROWS):
            chunks = [
                dataclasses.replace(
                    chunk,
                    chunk_id=to_version_id + chunk.chunk_id.removeprefix(version_id),
                    version_id=to_version_id,
                    file_id=file_id,
                    attributes=attributes,
                    read_groups=tuple(read_groups),
                )
                for chunk in map(chunk_of, rows)
            ]
            sparse = [row["sparse"] for row in rows] if has_sparse else None
            self.insert(collection, chunks, loaded.vectors(rows), sparse)
            copied += len(chunks)
        return copied

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        for start in range(0, len(version_ids), _VERSIONS_PER_DELETE):
            expression = f"version_id in {milvus_literal(list(version_ids[start : start + _VERSIONS_PER_DELETE]))}"
            with self.connection.access(collection, operation="delete"):
                name = self.connection.load(collection).name
                self.connection.client().delete(name, filter=expression, timeout=self._timeout_s)

    def count(self, collection: str, version_id: str | None = None) -> int:
        expression = "" if version_id is None else f"version_id == {milvus_literal(version_id)}"
        with self.connection.access(collection, operation="query"):
            name = self.connection.load(collection).name
            rows = self.connection.client().query(
                name, filter=expression, output_fields=["count(*)"], timeout=self._timeout_s
            )
        return int(rows[0]["count(*)"])

    def chunk_ids(self, collection: str) -> list[str]:
        return [row["chunk_id"] for rows in self._pages(collection, "", ["chunk_id"], _IDS_PER_PAGE) for row in rows]

    def chunks(
        self,
        collection: str,
        chunk_ids: Sequence[str],
        filters: FilterObject | None = None,
        *,
        groups: Sequence[str] | None = None,
    ) -> list[Chunk]:
        found: list[Chunk] = []
        chunk_ids = list(dict.fromkeys(chunk_ids))
        for start in range(0, max(len(chunk_ids), 1), _PAGE_ROWS):
            with self.connection.access(collection, filtered=filters is not None, operation="query"):
                loaded = self.connection.load(collection)  # first: a connection is needed for `has_templates`
                ids = chunk_ids[start : start + _PAGE_ROWS]
                wanted = Restriction(filters, groups=groups, chunk_ids=ids)
                restriction = filter_arguments(wanted, has_templates=self.connection.has_templates)
                if ids:
                    rows: list[ChunkRow] = self.connection.client().query(
                        loaded.name, output_fields=loaded.chunk_fields, timeout=self._timeout_s, **restriction
                    )
                    found += map(chunk_of, rows)
        return found

    def pages(self, collection: str, rows: int) -> Iterator[tuple[list[Chunk], Vectors]]:
        with self.connection.access(collection):
            loaded = self.connection.load(collection)
        fields = [*loaded.chunk_fields, loaded.vector_field]
        for page in self._pages(collection, "", fields, min(rows, _PAGE_ROWS)):
            yield list(map(chunk_of, page)), loaded.vectors(page)

    def _pages(self, collection: str, expression: str, fields: list[str], rows: int) -> Iterator[list[ChunkRow]]:
        """Rows by a query, which sees unflushed ones too. Other threads can use Milvus between two pages."""
        with self.connection.access(collection):
            iterator: QueryIterator = self.connection.client().query_iterator(
                self.connection.load(collection).name,
                batch_size=rows,
                filter=expression,
                output_fields=fields,
                timeout=self._timeout_s,
            )
        try:
            while True:
                with self.connection.access(collection, operation="query"):
                    page = list(iterator.next())
                if not page:
                    return
                yield page
        finally:
            iterator.close()

    def _flush_if_due(self, name: str, rows: int) -> None:
        if not self.connection.is_lite:
            return
        self._unflushed[name] += rows
        if self._unflushed[name] >= FLUSH_ROWS:
            self.connection.client().flush(name, timeout=self._timeout_s)
            self._unflushed[name] = 0

    # --- searches ----------------------------------------------------------------------------

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        return self._search.dense(collection, vectors, limit, Restriction(filters, without, groups))

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        return self._search.keyword(collection, queries, limit, Restriction(filters, without, groups))

    def sparse(
        self,
        collection: str,
        vectors: Sequence[SparseVector],
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        rows = [sparse_row(vector) for vector in vectors]
        return self._search.sparse(collection, rows, limit, Restriction(filters, without, groups))

    # --- the connection ----------------------------------------------------------------------

    def ping(self) -> None:
        if self.connection.is_lite and self.connection.has_just_answered:
            return  # a call would wait for searches, and a slow one would make the service look dead
        with self.connection.access(operation="ping"):
            self.connection.client().list_collections(timeout=self._timeout_s)

    def close(self) -> None:
        self.connection.close()
