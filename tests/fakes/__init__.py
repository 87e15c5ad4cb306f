"""Small fakes of the heavy components. Tests check their state."""

from __future__ import annotations

from tests.fakes.encoders.embedder import FakeEmbedder, FakeEmbedders
from tests.fakes.encoders.reranker import FakeReranker, FakeRerankers
from tests.fakes.encoders.sparse_embedder import FakeSparseEmbedder, FakeSparseEmbedders
from tests.fakes.encoders.token_encoder import FakeTokenEncoder
from tests.fakes.job_engine import FakeJobEngine
from tests.fakes.job_memory import DurableFakeJobEngine, JobMemory
from tests.fakes.language_model.adapters import FakeAdapters
from tests.fakes.language_model.generator import FakeGenerator
from tests.fakes.language_model.instant_engine import InstantEngine
from tests.fakes.language_model.paced_engine import PacedEngine
from tests.fakes.language_model.token_counter import FakeTokenCounter
from tests.fakes.language_model.tokenizer import FakeTokenizer
from tests.fakes.parser import FakeParser
from tests.fakes.planner import FakePlanner
from tests.fakes.services.retriever import FakeRetriever
from tests.fakes.slow_cache import SlowCache
from tests.fakes.snapshot_reader import FakeSnapshotReader
from tests.fakes.store.vector_store import FakeVectorStore
from tests.fakes.store.words import words

__all__ = [
    "DurableFakeJobEngine",
    "FakeAdapters",
    "FakeEmbedder",
    "FakeEmbedders",
    "FakeGenerator",
    "FakeJobEngine",
    "FakeParser",
    "FakePlanner",
    "FakeReranker",
    "FakeRerankers",
    "FakeRetriever",
    "FakeSnapshotReader",
    "FakeSparseEmbedder",
    "FakeSparseEmbedders",
    "FakeTokenCounter",
    "FakeTokenEncoder",
    "FakeTokenizer",
    "FakeVectorStore",
    "InstantEngine",
    "JobMemory",
    "PacedEngine",
    "SlowCache",
    "words",
]
