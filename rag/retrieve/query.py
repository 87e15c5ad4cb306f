"""A question on its way through the search."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.catalog.visibility import Snapshot
from rag.errors import InvalidRequest
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.ranking.fusion import FIRST
from rag.types import SparseVector

_WEIGHTS = "retrieval.weights"


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to put a question."""

    text: str
    label: str = FIRST
    dense_only: bool = False
    """For an invented answer, whose words are no better than its meaning."""
    vector: Any = None
    """The encoder's, where it is known already."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question in all its wordings; they see one state of the vector store."""

    vector_store: str
    wordings: tuple[Wording, ...]
    options: RetrieveOptions
    filters: Mapping[str, Any] | None = None

    @property
    def limit(self) -> int:
        """Matches that each path is asked for."""
        return max(self.options.candidates, self.options.top_k)


@dataclass(frozen=True, slots=True)
class ResolvedQuery:
    """A query, the state of its store that it sees, and the paths it takes."""

    query: Query
    snapshot: Snapshot
    paths: tuple[str, ...]
    asked: tuple[QueryInput, ...]
    """In the order of its wordings."""


def resolve(query: Query, snapshot: Snapshot, own: Collection[str]) -> ResolvedQuery:
    """Args:
        own: Names of the user's own paths.

    Raises:
        InvalidRequest: a path that is named is not there, or every one has the weight 0.
    """
    paths = _paths_of(query.options, snapshot, own)
    return ResolvedQuery(query, snapshot, paths, tuple(QueryInput(w.text, w.vector) for w in query.wordings))


def _paths_of(options: RetrieveOptions, snapshot: Snapshot, own: Collection[str]) -> tuple[str, ...]:
    has_sparse = bool(snapshot.sparse_embedder)
    known = ["dense", "keyword", *(["sparse"] if has_sparse else []), *own]
    for name in options.weights:
        if name not in (*known, *STORE_PATHS):
            there_are = ", ".join(known)
            raise InvalidRequest(f"{_WEIGHTS}: there is no search path {name!r}, but {there_are}", param=_WEIGHTS)
    if options.mode == "sparse" and not has_sparse:
        store = snapshot.store_id
        raise InvalidRequest(
            f"mode: the vector store {store!r} has no learned sparse vectors: set RAG_EMBEDDER__SPARSE_MODEL and run "
            f"`python -m rag reindex --store {store} --rebuild`",
            param="mode",
        )
    if options.mode != "hybrid":
        return (options.mode,)
    chosen = tuple(name for name in known if options.weight(name) > 0)
    if not chosen:
        raise InvalidRequest(f"{_WEIGHTS}: every search path has the weight 0", param=_WEIGHTS)
    return chosen


STORE_PATHS = ("dense", "keyword", "sparse")


@dataclass(frozen=True, slots=True)
class QueryInput:
    """One text that is looked for, with what the paths need of it."""

    text: str
    vector: npt.NDArray[np.float32] | None = None
    """Shape (dimensions,), of length 1."""
    sparse: SparseVector | None = None
