"""Custom retrievers: search paths that users supply, kept in sync with the vector store."""

from __future__ import annotations

import importlib
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rag.errors import InternalError, SetupError
from rag.ports import Vectors, VectorStore
from rag.retrieve.query import QueryVector
from rag.types import Attributes, Chunk, Match, SparseVector

RESERVED_NAMES = ("dense", "keyword", "sparse", "hybrid")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_LOAD_ROWS = 1000
_MIN_LIMIT = 50
"""Chunks requested from an index at least."""
_FILTER_FACTOR = 10
"""How many times `limit` is requested from an index if a filter may remove some of its results."""

_log = logging.getLogger(__name__)


class CustomRetriever(Protocol):
    """An index of one collection: the methods of a class that is named in `RAG_RETRIEVE__PATHS`.

    It is created without arguments and used by one thread at a time. It need not persist anything: after a restart it
    gets all chunks again.
    """

    def update(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add these chunks, or replace those with known ids. `vectors`: a row of length 1 for each chunk."""
        ...

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove these chunks. Some of the ids may be unknown."""
        ...

    def query(self, text: str, vector: QueryVector, limit: int) -> Sequence[tuple[str, float]]:
        """Ids and scores of the best chunks, at most `limit`, best first. Scores are 0 or more; higher is better.

        Args:
            vector: The encoder's vector of `text`: shape (dimensions,), of length 1.
        """
        ...


CustomRetrieverFactory = Callable[[], CustomRetriever]


class CollectionIndex:
    """A custom retriever of one collection, and the chunks that it holds of each version."""

    def __init__(self, index: CustomRetriever) -> None:
        self.index = index
        self._of_version: dict[str, list[str]] = {}

    def update(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        self.index.update(chunks, vectors)
        for chunk in chunks:
            self._of_version.setdefault(chunk.version_id, []).append(chunk.chunk_id)

    def remove(self, version_ids: Sequence[str]) -> None:
        gone = [chunk_id for version_id in version_ids for chunk_id in self._of_version.pop(version_id, ())]
        if gone:
            self.index.remove(sorted(set(gone)))


class CustomRetrievers:
    """The indexes of all custom retrievers. Methods block. Safe for several threads.

    An index is built from the vector store when its collection is first searched, and updated with every later change.

    Args:
        factories: Classes by the name of their path.
    """

    def __init__(self, store: VectorStore, factories: Mapping[str, CustomRetrieverFactory]) -> None:
        self._store = store
        self._factories = dict(factories)
        self._indexes: dict[str, dict[str, CollectionIndex]] = {}
        self._lock = threading.RLock()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._factories)

    def search(
        self,
        path: str,
        collection: str,
        queries: Sequence[tuple[str, QueryVector | None]],
        limit: int,
        filters: Mapping[str, object] | None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        """Matches, one list for each query, best first. Filters and groups are applied to the results of the index.

        Raises:
            InternalError: the custom retriever failed; the log has its traceback.
        """
        is_filtered = filters is not None or groups is not None or bool(without)
        index_limit = max(limit * _FILTER_FACTOR if is_filtered else limit, _MIN_LIMIT)
        with self._lock:
            index = self._in_sync(collection)[path].index
            results = [_query(path, index, text, vector, index_limit) for text, vector in queries]
        chunk_ids = {chunk_id for result in results for chunk_id, _ in result}
        stored = self._store.chunks(collection, sorted(chunk_ids), filters, groups=groups)
        chunks = {chunk.chunk_id: chunk for chunk in stored if chunk.version_id not in without}
        return [[Match(chunks[i], float(score)) for i, score in result if i in chunks][:limit] for result in results]

    def insert(self, collection: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Apply an insert into the vector store."""
        self._apply(collection, lambda index: index.update(chunks, vectors))

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        """Apply a delete from the vector store."""
        self._apply(collection, lambda index: index.remove(version_ids))

    def invalidate(self, collection: str) -> None:
        """Discard the indexes of a collection; the next search rebuilds them."""
        with self._lock:
            self._indexes.pop(collection, None)

    def _apply(self, collection: str, change: Callable[[CollectionIndex], None]) -> None:
        with self._lock:
            try:
                for index in self._indexes.get(collection, {}).values():
                    change(index)
            except Exception:
                # The vector store is the source of truth: the next search rebuilds the index from it.
                _log.exception("a custom retriever of RAG_RETRIEVE__PATHS failed to apply a change; it will be rebuilt")
                self._indexes.pop(collection, None)

    def _in_sync(self, collection: str) -> Mapping[str, CollectionIndex]:
        """The indexes of a collection, built if necessary. The caller holds the lock, so changes wait."""
        if collection not in self._indexes:
            indexes = {name: CollectionIndex(factory()) for name, factory in self._factories.items()}
            for chunks, vectors in self._store.pages(collection, _LOAD_ROWS):
                for index in indexes.values():
                    index.update(chunks, vectors)
            self._indexes[collection] = indexes
        return self._indexes[collection]


def _query(
    path: str, index: CustomRetriever, text: str, vector: QueryVector | None, limit: int
) -> Sequence[tuple[str, float]]:
    if vector is None:
        raise InternalError(f"the search path {path!r} was queried without a vector")
    try:
        return list(index.query(text, vector, limit))[:limit]
    except Exception as error:
        _log.exception("the custom retriever %r of RAG_RETRIEVE__PATHS failed", path)
        raise InternalError(f"the custom retriever {path!r} of RAG_RETRIEVE__PATHS failed; see the log") from error


class MirroredStore:
    """A `rag.ports.VectorStore` that passes every change on to the custom retrievers."""

    def __init__(self, store: VectorStore, custom: CustomRetrievers) -> None:
        self._store = store
        self._custom = custom

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def insert(
        self,
        collection: str,
        chunks: Sequence[Chunk],
        vectors: Vectors,
        sparse: Sequence[SparseVector] | None = None,
        *,
        again: bool = False,
    ) -> None:
        self._store.insert(collection, chunks, vectors, sparse, again=again)
        self._custom.insert(collection, chunks, vectors)

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        self._store.delete(collection, version_ids)
        self._custom.delete(collection, version_ids)

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
        copied = self._store.copy(
            collection, version_id, to_version_id, file_id=file_id, attributes=attributes, read_groups=read_groups
        )
        self._custom.invalidate(collection)
        return copied

    def drop(self, collection: str) -> None:
        self._store.drop(collection)
        self._custom.invalidate(collection)


def load_retrievers(import_paths: Mapping[str, str]) -> dict[str, CustomRetrieverFactory]:
    """The classes of `RAG_RETRIEVE__PATHS` by the names of their paths.

    Args:
        import_paths: `module:Class` by name.

    Raises:
        SetupError: a name is reserved or malformed, or a class cannot be imported or lacks a method.
    """
    return {name: _load(name, import_path) for name, import_path in import_paths.items()}


def _load(name: str, import_path: str) -> CustomRetrieverFactory:
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise SetupError(
            f"RAG_RETRIEVE__PATHS: {name!r} is not a valid path name: use lower-case letters, digits and _, and none "
            f"of {', '.join(RESERVED_NAMES)}"
        )
    module, _, attribute = import_path.partition(":")
    try:
        retriever: CustomRetrieverFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SetupError(
            f"RAG_RETRIEVE__PATHS: {name}: cannot import {import_path!r} (expected module:Class): {error}"
        ) from error
    missing = [method for method in ("update", "remove", "query") if not callable(getattr(retriever, method, None))]
    if missing:
        raise SetupError(f"RAG_RETRIEVE__PATHS: {name}: {import_path} has no method {', '.join(missing)}")
    return retriever
