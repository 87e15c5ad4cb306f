"""Interfaces (ports) to everything outside the core logic: models, stores, caches, job engine, other services.

Each port is implemented by an adapter and, for tests, by a fake; both pass the same contract tests (`tests/contract`).
"""

from __future__ import annotations

from rag.ports.cache import Cache
from rag.ports.counters import Count, Counters, RequestBucket, RequestBuckets, Taken, Window
from rag.ports.embedding import Embedder, Embedders, SparseEmbedder, SparseEmbedders, Vectors
from rag.ports.image_sources import ImageSource
from rag.ports.jobs import Flow, JobEngine, Steps
from rag.ports.language_model import Adapters, ChatTokenizer, Generator, TokenStream
from rag.ports.parser import Parser
from rag.ports.reranking import Reranker, Rerankers
from rag.ports.services import PromptPreparer, ServiceFacts
from rag.ports.tool_servers import ToolServers
from rag.ports.vector_store import VectorStore

__all__ = [
    "Adapters",
    "Cache",
    "ChatTokenizer",
    "Count",
    "Counters",
    "Embedder",
    "Embedders",
    "Flow",
    "Generator",
    "ImageSource",
    "JobEngine",
    "Parser",
    "PromptPreparer",
    "RequestBucket",
    "RequestBuckets",
    "Reranker",
    "Rerankers",
    "ServiceFacts",
    "SparseEmbedder",
    "SparseEmbedders",
    "Steps",
    "Taken",
    "TokenStream",
    "ToolServers",
    "VectorStore",
    "Vectors",
    "Window",
]
