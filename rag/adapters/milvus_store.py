"""Milvus, a server or a Milvus Lite file, as a VectorStore. Only the `milvus_` modules import pymilvus."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus_connection import MilvusConnection
from rag.adapters.milvus_filter import filter_arguments
from rag.adapters.milvus_rows import CHUNK_FIELDS, chunk_of, row_of
from rag.adapters.milvus_schema import Layout, embedding_words, stored_embedding
from rag.errors import EmbeddingMismatch
from rag.ports import Vectors
from rag.retrieve.filters import literal
from rag.types import Attributes, Chunk, Match

INSERT_ROWS = 192
"""Rows in one call: with the longest texts and contexts about 45 MB, below the 64 MB that Milvus takes."""
LITE_INSERT_ROWS = 64
"""On Milvus Lite a search waits for the insert in work: about 50 ms."""
FLUSH_ROWS = 100
"""Rows that Milvus Lite may hold unflushed: it scans those, at 5,500 rows 240 ms instead of 10 ms a search."""
_IDS_AT_ONCE = 4096  # a query without an iterator returns 16,384 rows at most
_VERSIONS_AT_ONCE = 100
_ALIAS_NOT_FOUND = 1600

_log = logging.getLogger(__name__)


class MilvusStore:
    """Connects at the first call, and again at the next one when that failed.

    Args:
        uri: a file that ends in `.db` (Milvus Lite, one process at a time), or a server's URL.
        prefix: put before the names of collections and aliases.
    """

    def __init__(self, uri: str, token: str | None = None, prefix: str = "rag_", timeout_s: float = 30.0) -> None:
        self._milvus = MilvusConnection(uri, token, prefix, timeout_s)
        self._timeout_s = timeout_s
        self._unflushed: Counter[str] = Counter()
        self._taken_names: set[str] = set()

    @property
    def supports_keyword(self) -> bool:
        """Whether this Milvus has BM25; without it `keyword` finds nothing."""
        if not self._milvus.is_lite:
            with self._milvus.border():
                self._milvus.client()
        return self._milvus.has_bm25

    # --- collections -------------------------------------------------------------------------

    def create(self, collection: str, dimensions: int, model_name: str) -> None:
        name = self._milvus.name(collection)
        with self._milvus.border(collection), self._milvus.lock:
            client = self._milvus.client()
            layout = Layout(model_name, dimensions, self._milvus.is_lite, self._milvus.has_bm25)
            if not client.has_collection(name, timeout=self._timeout_s):
                layout.create(client, name, self._timeout_s)
            stored = stored_embedding(client.describe_collection(name, timeout=self._timeout_s))
        if not layout.matches(stored):
            raise EmbeddingMismatch(
                f"the vector store {collection!r} was filled by {embedding_words(stored)}, but the embedder is "
                f"{layout.words()}; use that model again, or ingest into a new vector store"
            )

    def drop(self, collection: str) -> None:
        name = self._milvus.name(collection)
        with self._milvus.border(collection), self._milvus.lock:
            client = self._milvus.client()
            if not client.has_collection(name, timeout=self._timeout_s):
                return
            # Some servers refuse to drop what has aliases; others have no such call, and drop it all the same.
            with contextlib.suppress(MilvusException):
                for alias in client.list_aliases(name, timeout=self._timeout_s)["aliases"]:
                    client.drop_alias(alias, timeout=self._timeout_s)
                    self._milvus.forget(alias)
            client.drop_collection(name, timeout=self._timeout_s)
            self._milvus.forget(name)
            self._unflushed.pop(name, None)

    def exists(self, collection: str) -> bool:
        with self._milvus.border(collection):
            return bool(self._milvus.client().has_collection(self._milvus.name(collection), timeout=self._timeout_s))

    def point_alias(self, alias: str, collection: str) -> None:
        """As the port says; quietly nothing, but for a line in the log, where a collection has that very name."""
        name, target = self._milvus.name(alias), self._milvus.name(collection)
        with self._milvus.border(collection), self._milvus.lock:
            client = self._milvus.client()
            if name in client.list_collections(timeout=self._timeout_s):
                self._tell_taken(alias, name)
                return
            self._milvus.open(collection)  # so that what is not there is said of the collection, not of the alias
            try:
                client.create_alias(target, name, timeout=self._timeout_s)
            except MilvusException:
                client.alter_alias(target, name, timeout=self._timeout_s)
            self._milvus.forget(name)

    def drop_alias(self, alias: str) -> None:
        name = self._milvus.name(alias)
        with self._milvus.border(), self._milvus.lock:
            try:
                self._milvus.client().drop_alias(name, timeout=self._timeout_s)
            except MilvusException as error:
                if error.code != _ALIAS_NOT_FOUND:  # which some servers say, and Lite does not
                    raise
            self._milvus.forget(name)

    def _tell_taken(self, alias: str, name: str) -> None:
        if name not in self._taken_names:
            self._taken_names.add(name)
            _log.warning(
                "Milvus at %s has a collection named %s, so the vector store %r gets no alias of that name; drop "
                "that collection if an earlier version of this project made it",
                self._milvus.shown_uri,
                name,
                alias,
            )

    # --- rows --------------------------------------------------------------------------------

    def insert(self, collection: str, chunks: Sequence[Chunk], vectors: Vectors, *, again: bool = False) -> None:
        with self._milvus.border(collection):
            name = self._milvus.open(collection)
        at_once = LITE_INSERT_ROWS if self._milvus.is_lite else INSERT_ROWS
        for start in range(0, len(chunks), at_once):
            part = slice(start, start + at_once)
            rows = [
                row_of(chunk, vector, with_passage=self._milvus.has_bm25)
                for chunk, vector in zip(chunks[part], vectors[part], strict=True)
            ]
            with self._milvus.border(collection):
                if again:
                    ids = [chunk.chunk_id for chunk in chunks[part]]
                    self._milvus.client().delete(name, ids=ids, timeout=self._timeout_s)
                self._milvus.client().insert(name, rows, timeout=self._timeout_s)
                self._flush_sometimes(name, len(rows))

    def copy(
        self, collection: str, version_id: str, to_version_id: str, *, file_id: str, attributes: Attributes
    ) -> int:
        self.delete(collection, [to_version_id])
        copied = 0
        wanted = f"version_id == {literal(version_id)}"
        for rows in self._pages(collection, wanted, [*CHUNK_FIELDS, "dense"], INSERT_ROWS):
            chunks = [
                dataclasses.replace(
                    chunk,
                    chunk_id=to_version_id + chunk.chunk_id.removeprefix(version_id),
                    version_id=to_version_id,
                    file_id=file_id,
                    attributes=attributes,
                )
                for chunk in map(chunk_of, rows)
            ]
            self.insert(collection, chunks, np.array([row["dense"] for row in rows], dtype=np.float32))
            copied += len(chunks)
        return copied

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        for start in range(0, len(version_ids), _VERSIONS_AT_ONCE):
            expression = f"version_id in {literal(list(version_ids[start : start + _VERSIONS_AT_ONCE]))}"
            with self._milvus.border(collection):
                self._milvus.client().delete(self._milvus.open(collection), filter=expression, timeout=self._timeout_s)

    def count(self, collection: str, version_id: str | None = None) -> int:
        expression = "" if version_id is None else f"version_id == {literal(version_id)}"
        with self._milvus.border(collection):
            name = self._milvus.open(collection)
            rows = self._milvus.client().query(
                name, filter=expression, output_fields=["count(*)"], timeout=self._timeout_s
            )
        return int(rows[0]["count(*)"])

    def chunk_ids(self, collection: str) -> list[str]:
        return [row["chunk_id"] for rows in self._pages(collection, "", ["chunk_id"], _IDS_AT_ONCE) for row in rows]

    def _pages(self, collection: str, expression: str, fields: list[str], rows: int) -> Iterator[list[dict[str, Any]]]:
        """Rows as a query finds them, which sees unflushed ones too. Others have their turn between two pages."""
        with self._milvus.border(collection):
            iterator = self._milvus.client().query_iterator(
                self._milvus.open(collection),
                batch_size=rows,
                filter=expression,
                output_fields=fields,
                timeout=self._timeout_s,
            )
        try:
            while True:
                with self._milvus.border(collection):
                    page = list(iterator.next())
                if not page:
                    return
                yield page
        finally:
            iterator.close()

    def _flush_sometimes(self, name: str, rows: int) -> None:
        if not self._milvus.is_lite:
            return
        self._unflushed[name] += rows
        if self._unflushed[name] >= FLUSH_ROWS:
            self._milvus.client().flush(name, timeout=self._timeout_s)
            self._unflushed[name] = 0

    # --- searches ----------------------------------------------------------------------------

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        return self._search(collection, "dense", list(vectors), limit, filters, without)

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        if not self.supports_keyword:
            with self._milvus.border(collection):
                self._milvus.open(collection)
            return [[] for _ in queries]
        return self._search(collection, "keyword", list(queries), limit, filters, without)

    def _search(
        self,
        collection: str,
        field: str,
        data: list[Any],
        limit: int,
        filters: Mapping[str, Any] | None,
        without: Sequence[str],
    ) -> list[list[Match]]:
        if not data:
            return []
        with self._milvus.border(collection, filtered=filters is not None):
            found = self._milvus.client().search(
                self._milvus.open(collection),  # first: connecting decides on templates
                data=data,
                anns_field=field,
                limit=limit,
                output_fields=CHUNK_FIELDS,
                timeout=self._timeout_s,
                **filter_arguments(filters, without, has_templates=self._milvus.has_templates),
            )
        # BM25 scores are negative on Milvus Lite.
        sign = -1.0 if self._milvus.is_lite and field == "keyword" else 1.0
        return [[Match(chunk_of(hit["entity"]), sign * hit["distance"]) for hit in hits] for hits in found]

    # --- the connection ----------------------------------------------------------------------

    def ping(self) -> None:
        with self._milvus.border():
            self._milvus.client().list_collections(timeout=self._timeout_s)

    def close(self) -> None:
        self._milvus.close()
