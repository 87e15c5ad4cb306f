"""Vector stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rag.records.documents import FileCounts, Strategy
from rag.types import JsonMapping

DEFAULT_STORE = "default"
"""The name of the vector store of requests that name none."""


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """A vector store."""

    store_id: str
    name: str
    created_at: float
    last_active_at: float
    usage_bytes: int
    file_counts: FileCounts
    embedder: str
    """The embedding model of its vectors."""
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    chunking: Strategy | None = None
    """For documents without an own strategy; None: the service's default."""
    expires_after_days: int | None = None
    """Counted from `last_active_at`."""
    expires_at: float | None = None
    status: Literal["completed", "in_progress", "expired"] = "completed"
    retrieval: JsonMapping | None = None
    """Retrieval settings that override the service's; names as in `rag.retrieve.options`."""
    sparse_embedder: str = ""
    """The learned sparse model of its sparse vectors; empty: it has none."""


@dataclass(frozen=True, slots=True)
class NewStore:
    """The fields of a new vector store, or changes of one. None: not given."""

    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] | None = None
    chunking: Strategy | None = None
    expires_after_days: int | None = None
    forget_expiry: bool = False
    """The store is never to expire."""
    retrieval: JsonMapping | None = None
    """Replaces all retrieval settings of the store; empty: the service's settings are used."""
