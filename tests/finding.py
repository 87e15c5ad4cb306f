"""A finder around whatever a test gives it."""

from __future__ import annotations

from typing import Any

from rag.encoders import StoreEncoders
from rag.ports import VectorStore
from rag.retrieve.finder import Finder
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.own_paths import OwnPaths
from rag.retrieve.paths import SearchPaths
from rag.retrieve.readers_lease import ReadersLease
from rag.retrieve.search import Searcher
from rag.retrieve.views import Views


def a_searcher(
    encoders: StoreEncoders,
    store: VectorStore,
    views: Views,
    *,
    leases: ReadersLease | None = None,
    sparse: Any = None,
    own: OwnPaths | None = None,
) -> Searcher:
    paths = SearchPaths(store, views, own or OwnPaths(store, {}))
    return Searcher(encoders, sparse, paths, views, leases or ReadersLease())


def a_finder(
    encoders: StoreEncoders,
    store: VectorStore,
    views: Views,
    *,
    options: RetrieveOptions | None = None,
    planner: Any = None,
    reranker: Any = None,
    kept: Any = None,
    **searcher: Any,
) -> Finder:
    """Without a planner and a reranker, options that ask for one fail."""
    return Finder(
        a_searcher(encoders, store, views, **searcher),
        views,
        encoders,
        options or RetrieveOptions(),
        planner,
        reranker,
        kept,
    )


