from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rag.errors import EmbeddingMismatch, VectorStoreNotFound
from rag.keywords import checked_language
from rag.ports import Vectors
from rag.retrieve.search.filters import compile_filters
from rag.types import Attributes, Chunk, Match, SparseVector
from tests.fakes.store.bm25 import bm25
from tests.fakes.store.filters import matches_filter


class FakeVectorStore:
    """Chunks and vectors in lists. As on a Milvus server, a chunk that is inserted twice is stored twice.

    It copies two rows at a time, where a server copies hundreds. `copy_gate` pauses it after it has read some.
    """

    def __init__(self, language: str = "english") -> None:
        self._language = checked_language(language)
        self._languages: dict[str, str] = {}
        """Language of each collection's keyword path."""
        self.models: dict[str, tuple[int, str]] = {}
        """Dimensions and model by collection."""
        self.sparse_models: dict[str, str] = {}
        self.rows: dict[str, list[tuple[Chunk, Vectors]]] = {}
        self.sparse_vectors: dict[str, dict[str, SparseVector]] = {}
        """By collection and chunk id."""
        self.aliases: dict[str, str] = {}
        self.searches: list[tuple[str, int, int]] = []
        """Path, number of queries and limit of each search."""
        self.while_searching: Callable[[], object] = lambda: None
        """Called by each dense search."""
        self.insert_failure: Exception | None = None
        self.insert_failure_after = 0
        """Number of chunks that a failing insert stores anyway."""
        self.create_failure: Exception | None = None
        self.alias_failure: Exception | None = None
        self.after_insert: Callable[[], object] | None = None
        """Called once, after the next insert."""
        self.copy_gate, self.copy_has_read = threading.Event(), threading.Event()
        self.copy_gate.set()
        self.closed = False
        self._writing = threading.RLock()

    def create(self, collection: str, dimensions: int, model_name: str, *, sparse_model: str = "") -> None:
        if self.create_failure is not None:
            raise self.create_failure
        collection = self._real(collection)
        wanted = (dimensions, model_name), sparse_model
        stored = self.models.setdefault(collection, wanted[0]), self.sparse_models.setdefault(collection, sparse_model)
        self._languages.setdefault(collection, self._language)
        self.rows.setdefault(collection, [])
        if stored != wanted:
            raise EmbeddingMismatch(f"{collection!r} was filled by {stored}, the embedder is {wanted}")

    def drop(self, collection: str) -> None:
        collection = self._real(collection)
        for known in (self.rows, self.models, self.sparse_models, self.sparse_vectors, self._languages):
            known.pop(collection, None)
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != collection}

    def exists(self, collection: str) -> bool:
        return self._real(collection) in self.rows

    def insert(
        self,
        collection: str,
        chunks: Sequence[Chunk],
        vectors: Vectors,
        sparse: Sequence[SparseVector] | None = None,
        *,
        again: bool = False,
    ) -> None:
        self._rows(collection)
        if (sparse is not None) != bool(self.sparse_models[self._real(collection)]):
            raise ValueError("sparse vectors are for collections with a sparse model, and for all of their chunks")
        if sparse is not None:
            known = self.sparse_vectors.setdefault(self._real(collection), {})
            known.update((chunk.chunk_id, one) for chunk, one in zip(chunks, sparse, strict=True))
        with self._writing:
            if again:
                ids = {chunk.chunk_id for chunk in chunks}
                self._keep(collection, lambda chunk: chunk.chunk_id not in ids)
            for index, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
                if self.insert_failure is not None and index >= self.insert_failure_after:
                    raise self.insert_failure
                self._rows(collection).append((chunk, vector))
        then, self.after_insert = self.after_insert, None
        if then is not None:
            then()

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
        copied = set[str]()
        while page := self._next_to_copy(collection, version_id, copied):
            copied |= {chunk.chunk_id for chunk, _ in page}
            copies = [
                dataclasses.replace(
                    chunk,
                    chunk_id=to_version_id + chunk.chunk_id.removeprefix(version_id),
                    version_id=to_version_id,
                    file_id=file_id,
                    attributes=attributes,
                    read_groups=tuple(read_groups),
                )
                for chunk, _ in page
            ]
            self.copy_has_read.set()
            self.copy_gate.wait(20)
            known = self.sparse_vectors.get(self._real(collection))
            sparse = None if known is None else [known[chunk.chunk_id] for chunk, _ in page]
            self.insert(collection, copies, np.array([vector for _, vector in page], dtype=np.float32), sparse)
        return len(copied)

    def _next_to_copy(self, collection: str, version_id: str, copied: set[str]) -> list[tuple[Chunk, Vectors]]:
        rows = self._rows(collection)
        return [row for row in rows if row[0].version_id == version_id and row[0].chunk_id not in copied][:2]

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        with self._writing:
            self._keep(collection, lambda chunk: chunk.version_id not in version_ids)

    def _keep(self, collection: str, is_kept: Callable[[Chunk], bool]) -> None:
        """Replaces the list, because other threads may be reading it."""
        self.rows[self._real(collection)] = [row for row in self._rows(collection) if is_kept(row[0])]

    def count(self, collection: str, version_id: str | None = None) -> int:
        return sum(version_id in (None, chunk.version_id) for chunk in self.all_chunks(collection))

    def chunk_ids(self, collection: str) -> list[str]:
        return [chunk.chunk_id for chunk in self.all_chunks(collection)]

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        self.searches.append(("dense", len(vectors), limit))
        self.while_searching()
        rows = self._filtered(collection, filters, without, groups)
        return [
            _best([Match(chunk, float(np.dot(stored, vector))) for chunk, stored in rows], limit) for vector in vectors
        ]

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        self.searches.append(("keyword", len(queries), limit))
        wanted = {chunk.chunk_id for chunk, _ in self._filtered(collection, filters, without, groups)}
        language = self._languages[self._real(collection)]
        found = [bm25(self.all_chunks(collection), query, language) for query in queries]
        return [_best([m for m in matches if m.score > 0 and m.chunk.chunk_id in wanted], limit) for matches in found]

    def point_alias(self, alias: str, collection: str) -> None:
        self._rows(collection)
        if self.alias_failure is not None:
            raise self.alias_failure
        if alias not in self.rows:
            self.aliases[alias] = self._real(collection)

    def drop_alias(self, alias: str) -> None:
        self.aliases.pop(alias, None)

    def ping(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def sparse(
        self,
        collection: str,
        vectors: Sequence[SparseVector],
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        self.searches.append(("sparse", len(vectors), limit))
        chunks = [chunk for chunk, _ in self._filtered(collection, filters, without, groups)]
        known = self.sparse_vectors.get(self._real(collection), {})
        found = [[Match(chunk, _inner(known.get(chunk.chunk_id, {}), query)) for chunk in chunks] for query in vectors]
        return [_best([match for match in matches if match.score > 0], limit) for matches in found]

    def chunks(
        self,
        collection: str,
        chunk_ids: Sequence[str],
        filters: Mapping[str, Any] | None = None,
        *,
        groups: Sequence[str] | None = None,
    ) -> list[Chunk]:
        wanted = set(chunk_ids)
        return [chunk for chunk, _ in self._filtered(collection, filters, (), groups) if chunk.chunk_id in wanted]

    def pages(self, collection: str, rows: int) -> Iterator[tuple[list[Chunk], Vectors]]:
        whole = list(self._rows(collection))
        for start in range(0, len(whole), rows):
            page = whole[start : start + rows]
            yield [chunk for chunk, _ in page], np.array([vector for _, vector in page], dtype=np.float32)

    def all_chunks(self, collection: str) -> list[Chunk]:
        return [chunk for chunk, _ in self._rows(collection)]

    def _real(self, name: str) -> str:
        return self.aliases.get(name, name)

    def _rows(self, collection: str) -> list[tuple[Chunk, Vectors]]:
        if self._real(collection) not in self.rows:
            raise VectorStoreNotFound(f"there is no vector store {collection!r}", param="vector_store")
        return self.rows[self._real(collection)]

    def _filtered(
        self,
        collection: str,
        filters: Mapping[str, Any] | None,
        without: Sequence[str],
        groups: Sequence[str] | None,
    ) -> list[tuple[Chunk, Vectors]]:
        if filters is not None:
            compile_filters(filters)  # rejects what the real store rejects
        rows = [row for row in self._rows(collection) if row[0].version_id not in without]
        if groups is not None:
            rows = [row for row in rows if not row[0].read_groups or set(groups) & set(row[0].read_groups)]
        return [row for row in rows if filters is None or matches_filter(filters, row[0])]


def _inner(stored: SparseVector, query: SparseVector) -> float:
    return sum(weight * stored.get(term, 0.0) for term, weight in query.items())


def _best(matches: list[Match], limit: int) -> list[Match]:
    return sorted(matches, key=lambda match: -match.score)[:limit]
