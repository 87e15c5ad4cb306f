"""A finder around whatever a test gives it."""

from __future__ import annotations

from typing import Any

from rag.encoders import StoreEncoders
from rag.ports import VectorStore
from rag.retrieve.lease import ReadLease
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalPipeline
from rag.retrieve.search.custom_retrievers import CustomRetrievers
from rag.retrieve.search.paths import SearchPaths
from rag.retrieve.search.searcher import Searcher
from rag.retrieve.snapshot_reader import SnapshotReader


def a_searcher(
    encoders: StoreEncoders,
    store: VectorStore,
    views: SnapshotReader,
    *,
    leases: ReadLease | None = None,
    sparse: Any = None,
    own: CustomRetrievers | None = None,
) -> Searcher:
    paths = SearchPaths(store, views, own or CustomRetrievers(store, {}))
    return Searcher(encoders, sparse, paths, views, leases or ReadLease())


def a_finder(
    encoders: StoreEncoders,
    store: VectorStore,
    views: SnapshotReader,
    *,
    options: RetrieveOptions | None = None,
    planner: Any = None,
    reranker: Any = None,
    kept: Any = None,
    **searcher: Any,
) -> RetrievalPipeline:
    """Without a planner and a reranker, options that ask for one fail."""
    return RetrievalPipeline(
        a_searcher(encoders, store, views, **searcher),
        views,
        encoders,
        options or RetrieveOptions(),
        planner,
        reranker,
        kept,
    )
