"""Small fakes of the heavy components. Tests check their state."""

from __future__ import annotations

from tests.fakes.adapters import FakeAdapters
from tests.fakes.embedder import FakeEmbedder, FakeEmbedders
from tests.fakes.generator import FakeGenerator
from tests.fakes.instant_engine import InstantEngine
from tests.fakes.job_engine import FakeJobEngine
from tests.fakes.job_memory import DurableFakeJobEngine, JobMemory
from tests.fakes.paced_engine import PacedEngine
from tests.fakes.parser import FakeParser
from tests.fakes.planner import FakePlanner
from tests.fakes.reranker import FakeReranker, FakeRerankers
from tests.fakes.retriever import FakeRetriever
from tests.fakes.slow_cache import SlowCache
from tests.fakes.snapshot_reader import FakeSnapshotReader
from tests.fakes.sparse_embedder import FakeSparseEmbedder, FakeSparseEmbedders
from tests.fakes.token_counter import FakeTokenCounter
from tests.fakes.token_encoder import FakeTokenEncoder
from tests.fakes.tokenizer import FakeTokenizer
from tests.fakes.vector_store import FakeVectorStore
from tests.fakes.words import words

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
