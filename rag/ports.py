"""What the flows need from the outside. Each has one real adapter and one fake that pass the same tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.types import Attributes, Chunk, Finished, Match, Message, StoredFile, TextKind, TextPiece

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimensions), one row a text, each of length 1."""


class Embedder(Protocol):
    @property
    def model_name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    async def encode(self, texts: Sequence[str], kind: TextKind) -> Vectors:
        """One unit vector a text, in the order given.

        Raises:
            DependencyUnavailable: the encoder does not answer.
        """
        ...


class VectorStore(Protocol):
    """Collections of chunks. Methods block; callers run them in threads. Safe for concurrent use."""

    def ensure(self, vector_store: str, dimensions: int, model_name: str) -> None:
        """Create the collection if it is not there.

        Raises:
            EmbeddingMismatch: it was filled by another model; names both.
        """
        ...

    def exists(self, vector_store: str) -> bool: ...

    def insert(self, vector_store: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store chunks and their vectors (same order); searchable when the call returns."""
        ...

    def versions(self, vector_store: str, file_ids: Sequence[str]) -> dict[str, list[StoredFile]]:
        """What is stored of each file, one entry a content hash; files without chunks are absent."""
        ...

    def delete(
        self, vector_store: str, file_id: str, *, content_hash: str | None = None, keep: str | None = None
    ) -> None:
        """Remove a file's chunks: all, only those of `content_hash`, or all but those of `keep`."""
        ...

    def count(self, vector_store: str) -> int:
        """Chunks in the store."""
        ...

    def dense(
        self, vector_store: str, vectors: Vectors, limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[list[Match]]:
        """For each query vector the nearest chunks by cosine, best first.

        Raises:
            VectorStoreNotFound: no such collection.
            InvalidFilter: `filters` (OpenAI's shape) cannot be compiled.
        """
        ...

    def keyword(
        self, vector_store: str, queries: Sequence[str], limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[list[Match]]:
        """For each query the best chunks by BM25, best first. Raises as `dense`."""
        ...

    def ping(self) -> None:
        """Raises DependencyUnavailable when the store does not answer."""
        ...

    def close(self) -> None: ...


class ChatTokenizer(Protocol):
    """The engine's own tokenizer and chat template."""

    def render(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of the conversation, ready for the assistant to go on."""
        ...

    def count(self, text: str) -> int: ...


Pieces = AsyncGenerator[TextPiece | Finished, None]
"""New text as it comes, then exactly one `Finished`. Closing it stops the engine's work on the request."""


class Generator(Protocol):
    """A language model that streams."""

    async def generate(self, prompt: str | Sequence[int], sampling: Mapping[str, Any], request_id: str) -> Pieces:
        """Returns as soon as the request is accepted, before the first token. The caller closes what it gets.

        `sampling` holds vLLM's parameters by their own names.

        Raises:
            InvalidRequest: a parameter the engine refuses, or an empty prompt.
            ContextLengthExceeded: prompt and `max_tokens` do not fit.
            DependencyUnavailable: the engine is dead; in mid-stream the iteration raises it.
        """
        ...


__all__ = ["Attributes", "ChatTokenizer", "Embedder", "Generator", "Pieces", "VectorStore", "Vectors"]
