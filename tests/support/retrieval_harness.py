"""Builds a retrieval pipeline around the parts that a test supplies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.encoders import StoreEncoders
from rag.ports import Reranker, SparseEmbedders, VectorStore
from rag.retrieve.cache.retrieval_cache import RetrievalCache
from rag.retrieve.lease import ReadLease
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalPipeline
from rag.retrieve.planning.plan import QueryPlanner
from rag.retrieve.result import RetrievalResult
from rag.retrieve.search.custom_retrievers import CustomRetrievers
from rag.retrieve.search.path_searcher import PathSearcher
from rag.retrieve.search.searcher import Searcher
from rag.retrieve.snapshot_reader import SnapshotReader
from tests.fakes.encoders.embedder import FakeEmbedder
from tests.fakes.encoders.reranker import FakeReranker
from tests.fakes.planner import FakePlanner
from tests.fakes.store.vector_store import FakeVectorStore
from tests.support.builders import a_chunk


def a_store_of(embedder: FakeEmbedder, texts_of: Mapping[str, Sequence[str]]) -> FakeVectorStore:
    """Vector stores by name, each with one file of these passages."""
    store = FakeVectorStore()
    for name, texts in texts_of.items():
        store.create(name, embedder.dimensions, embedder.model_name)
        chunks = [a_chunk(text, filename=f"{name}.md", ordinal=n) for n, text in enumerate(texts)]
        store.insert(name, chunks, embedder.vectors(texts))
    return store


def make_pipeline(
    encoders: StoreEncoders,
    store: VectorStore,
    snapshots: SnapshotReader,
    *,
    leases: ReadLease | None = None,
    sparse: SparseEmbedders | None = None,
    custom: CustomRetrievers | None = None,
    options: RetrieveOptions | None = None,
    planner: QueryPlanner | None = None,
    reranker: Reranker | None = None,
    cache: RetrievalCache[RetrievalResult] | None = None,
) -> RetrievalPipeline:
    path_searcher = PathSearcher(store, snapshots, custom or CustomRetrievers(store, {}))
    return RetrievalPipeline(
        Searcher(encoders, sparse, path_searcher),
        snapshots,
        leases or ReadLease(),
        encoders,
        options or RetrieveOptions(),
        planner or FakePlanner(),
        reranker or FakeReranker(),
        cache,
    )
