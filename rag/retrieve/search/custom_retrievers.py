"""Search paths of the user's own, kept beside Milvus and level with it."""

from __future__ import annotations

import importlib
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.errors import InternalError, SetupError
from rag.ports import Vectors, VectorStore
from rag.types import Attributes, Chunk, Match, SparseVector

TAKEN = ("dense", "keyword", "sparse", "hybrid")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_LOAD_ROWS = 1000
_AT_LEAST = 50
"""Chunks asked of an index when filters may take some of them away."""

_log = logging.getLogger(__name__)
Vector = npt.NDArray[np.float32]


class CustomRetriever(Protocol):
    """An index of one collection: what a class must have to be named in `RAG_RETRIEVE__PATHS`.

    It is made without arguments, is asked by one thread at a time, and keeps nothing: after a restart it is given
    all chunks again.
    """

    def update(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Take these chunks in, or anew when their ids are known. `vectors`: one row a chunk, of length 1."""
        ...

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Forget them; some may not be known."""
        ...

    def query(self, text: str, vector: Vector, limit: int) -> Sequence[tuple[str, float]]:
        """Ids of the best chunks, `limit` at most, best first, and how well each fits: 0 or more, higher is better.

        Args:
            vector: Shape (dimensions,), of length 1: the encoder's, of `text`.
        """
        ...


MakeRetriever = Callable[[], CustomRetriever]


class CollectionIndex:
    """An index of one collection, and which chunks each version has in it."""

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
    """All indexes of all own paths. Methods block. Safe for several threads.

    An index is made when its collection is first searched, from what the vector store has; from then on it is told
    of every change.

    Args:
        makers: Classes by the name of the path.
    """

    def __init__(self, store: VectorStore, makers: Mapping[str, MakeRetriever]) -> None:
        self._store = store
        self._makers = dict(makers)
        self._fed: dict[str, dict[str, CollectionIndex]] = {}
        self._lock = threading.RLock()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._makers)

    def search(
        self,
        path: str,
        collection: str,
        asked: Sequence[tuple[str, Vector | None]],
        limit: int,
        filters: Mapping[str, Any] | None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        """Matches, one list a question, best first. The filter is applied to what the index finds, ten times over.

        Raises:
            InternalError: the user's code failed; the log has it.
        """
        more = 1 if filters is None and not without else 10
        with self._lock:
            index = self._level(collection)[path].index
            found = [_query(path, index, text, vector, max(limit * more, _AT_LEAST)) for text, vector in asked]
        wanted = {chunk_id for pairs in found for chunk_id, _ in pairs}
        chunks = {c.chunk_id: c for c in self._store.chunks(collection, sorted(wanted), filters)}
        seen = {chunk_id: chunk for chunk_id, chunk in chunks.items() if chunk.version_id not in without}
        return [[Match(seen[i], float(score)) for i, score in pairs if i in seen][:limit] for pairs in found]

    def updated(self, collection: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """The vector store has these chunks now."""
        self._tell(collection, lambda fed: fed.update(chunks, vectors))

    def removed(self, collection: str, version_ids: Sequence[str]) -> None:
        self._tell(collection, lambda fed: fed.remove(version_ids))

    def forget(self, collection: str) -> None:
        """Its indexes are made anew when it is searched again."""
        with self._lock:
            self._fed.pop(collection, None)

    def _tell(self, collection: str, change: Callable[[CollectionIndex], None]) -> None:
        with self._lock:
            try:
                for fed in self._fed.get(collection, {}).values():
                    change(fed)
            except Exception:
                # What Milvus has is what counts: the index is made anew from it.
                _log.exception("a search path of RAG_RETRIEVE__PATHS failed at a change; it is made anew")
                self._fed.pop(collection, None)

    def _level(self, collection: str) -> Mapping[str, CollectionIndex]:
        """The collection's indexes, filled if they were not; changes wait for that."""
        if collection not in self._fed:
            made = {name: CollectionIndex(make()) for name, make in self._makers.items()}
            for chunks, vectors in self._store.pages(collection, _LOAD_ROWS):
                for fed in made.values():
                    fed.update(chunks, vectors)
            self._fed[collection] = made
        return self._fed[collection]


def _query(
    path: str, index: CustomRetriever, text: str, vector: Vector | None, limit: int
) -> Sequence[tuple[str, float]]:
    if vector is None:
        raise InternalError(f"the search path {path!r} was asked without a vector")
    try:
        return list(index.query(text, vector, limit))[:limit]
    except Exception as error:
        _log.exception("the search path %r of RAG_RETRIEVE__PATHS failed", path)
        raise InternalError(f"the search path {path!r} of RAG_RETRIEVE__PATHS failed; the log has it") from error


class MirroredStore:
    """A `rag.ports.VectorStore` that tells own paths of every change made through it."""

    def __init__(self, store: VectorStore, own: CustomRetrievers) -> None:
        self._store = store
        self._own = own

    def __getattr__(self, name: str) -> Any:
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
        self._own.updated(collection, chunks, vectors)

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        self._store.delete(collection, version_ids)
        self._own.removed(collection, version_ids)

    def copy(
        self, collection: str, version_id: str, to_version_id: str, *, file_id: str, attributes: Attributes
    ) -> int:
        copied = self._store.copy(collection, version_id, to_version_id, file_id=file_id, attributes=attributes)
        self._own.forget(collection)
        return copied

    def drop(self, collection: str) -> None:
        self._store.drop(collection)
        self._own.forget(collection)


def load_retrievers(named: Mapping[str, str]) -> dict[str, MakeRetriever]:
    """The classes of `RAG_RETRIEVE__PATHS`, by the names of their paths.

    Raises:
        SetupError: a name that is taken or not of letters; an import path without a class that has the methods.
    """
    return {name: _loaded(name, where) for name, where in named.items()}


def _loaded(name: str, where: str) -> MakeRetriever:
    if not _NAME.fullmatch(name) or name in TAKEN:
        raise SetupError(
            f"RAG_RETRIEVE__PATHS: {name!r} is no name for a path: use lower-case letters, digits and _, and none of "
            f"{', '.join(TAKEN)}"
        )
    module, _, attribute = where.partition(":")
    try:
        made: MakeRetriever = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SetupError(f"RAG_RETRIEVE__PATHS: {name}: there is no {where!r} (module:Class): {error}") from error
    lacking = [method for method in ("update", "remove", "query") if not callable(getattr(made, method, None))]
    if lacking:
        raise SetupError(f"RAG_RETRIEVE__PATHS: {name}: {where} has no method {', '.join(lacking)}")
    return made
