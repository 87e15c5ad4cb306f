"""The dependencies of the Retriever's `/v1` routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from rag.http.model_aliases import ModelAliases
    from rag.library.answers.background import BackgroundRegistry
    from rag.library.answers.chat_completions import CompletionRegistry
    from rag.library.answers.conversations import ConversationRegistry
    from rag.library.answers.responses import ResponseRegistry
    from rag.library.audit import AuditLog
    from rag.library.batches.registry import BatchRegistry
    from rag.library.documents.uploads import UploadRegistry
    from rag.library.keys import KeyRegistry
    from rag.library.service import Library
    from rag.ports import Embedder, Reranker
    from rag.retrieve.result import RetrievalResult


@dataclass(frozen=True, slots=True)
class StoreSearch:
    """A search of one vector store."""

    text: str
    store_id: str
    overrides: Mapping[str, Any]
    """Fields of `rag.retrieve.options` that the request sets."""
    filters: Mapping[str, Any] | None = None


Search: TypeAlias = Callable[[StoreSearch], "Awaitable[RetrievalResult]"]
"""Raises what the retrieval pipeline raises."""


LongInputs: TypeAlias = Literal["window", "truncate", "refuse"]


@dataclass(frozen=True, slots=True)
class EmbeddingOptions:
    """Options of `/v1/embeddings` for token ids and for texts that are longer than the encoder's input."""

    long_inputs: LongInputs = "window"
    token_ids: bool = False
    """Whether token ids are accepted."""


@dataclass(frozen=True, slots=True)
class V1Parts:
    library: Callable[[], Library]
    """Raises Starting or SetupError if the library is not available."""
    search: Search
    embedder: Callable[[], Embedder]
    """The configured embedder. Raises as `library` does."""
    reranker: Callable[[], Reranker]
    """The configured reranker. Raises as `library` does."""
    incoming: Path
    """Folder for uploads. It is on the same file system as the library's files, so that moving them needs no copy."""
    max_file_bytes: int
    keys: Callable[[], KeyRegistry]
    """Raises Starting or SetupError if the catalog is not open."""
    audit: Callable[[], AuditLog]
    """Raises as `keys` does."""
    embedding: EmbeddingOptions
    aliases: ModelAliases
    responses: Callable[[], ResponseRegistry]
    """Raises as `keys` does."""
    conversations: Callable[[], ConversationRegistry]
    """Raises as `keys` does."""
    completions: Callable[[], CompletionRegistry]
    """Raises as `keys` does."""
    background: Callable[[], BackgroundRegistry]
    uploads: Callable[[], UploadRegistry]
    """Raises as `keys` does."""
    batches: Callable[[], BatchRegistry]
    """Raises as `keys` does."""
