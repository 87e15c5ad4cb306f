"""What the `/v1` routes work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rag.library.service import Library
from rag.ports import Embedder, Reranker
from rag.retrieve.result import RetrievalResult


@dataclass(frozen=True, slots=True)
class StoreSearch:
    """A search of one vector store."""

    text: str
    store_id: str
    changes: Mapping[str, Any]
    """Fields of `rag.retrieve.options` that the request sets."""
    filters: Mapping[str, Any] | None = None


Search: TypeAlias = Callable[[StoreSearch], Awaitable[RetrievalResult]]
"""Raises what the retrieval pipeline raises."""


@dataclass(frozen=True, slots=True)
class V1Parts:
    library: Callable[[], Library]
    """Raises Starting or SetupError while there is none."""
    search: Search
    embedder: Callable[[], Embedder]
    """The configured one; raises as `library`."""
    reranker: Callable[[], Reranker]
    """Likewise."""
    incoming: Path
    """Where uploads are written; on the same file system as the library's files, so that these are moved only."""
    max_file_bytes: int
