"""Embedding models, dense and sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.types import LongTexts, SparseVector, TextKind, TokenCounts, TokenIds

Vectors = npt.NDArray[np.float32]
"""Shape (texts, dimensions); each row is a unit vector."""


class Embedder(Protocol):
    """An embedding model."""

    @property
    def model_name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    async def encode(
        self,
        texts: Sequence[str] | Sequence[TokenIds],
        kind: TextKind,
        *,
        store_token_vectors: bool = False,
        long_texts: LongTexts = "truncate",
        max_tokens: int | None = None,
    ) -> Vectors:
        """One unit vector for each text, in the same order.

        Args:
            texts: Texts, or the token ids of texts.
            store_token_vectors: Whether these are passages of documents, whose token vectors may be kept for reranking.
            long_texts: What to do with texts that are longer than the model's limit.
            max_tokens: Each text is truncated to this many tokens first, including the model's prompt prefix and
                special tokens.

        Raises:
            InvalidRequest: a token id is not in the model's vocabulary, the model does not accept token ids, or
                `max_tokens` leaves no room for a text.
            DependencyUnavailable: the service that runs the model does not respond.
        """
        ...

    async def count(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> TokenCounts:
        """The length of each text in tokens of this model. Raises as `encode` does."""
        ...


class Embedders(Protocol):
    """The available embedding models: the configured one, and others by name."""

    @property
    def default(self) -> Embedder: ...

    async def named(self, model: str) -> Embedder:
        """The model with this name (a Hugging Face id or a folder). It is loaded if necessary.

        Raises:
            ModelNotFound: the model does not exist or cannot be loaded.
            DependencyUnavailable: the service that runs the models does not respond.
        """
        ...


class SparseEmbedder(Protocol):
    """A learned sparse model, such as SPLADE."""

    @property
    def model_name(self) -> str: ...

    async def encode(self, texts: Sequence[str], kind: TextKind) -> list[SparseVector]:
        """One sparse vector for each text, in the same order. Raises DependencyUnavailable."""
        ...


class SparseEmbedders(Protocol):
    """The available sparse models, by name."""

    async def named(self, model: str) -> SparseEmbedder:
        """The model with this name (a Hugging Face id or a folder). It is loaded if necessary.

        Raises:
            ModelNotFound: the model does not exist or cannot be loaded.
            DependencyUnavailable: the service that runs the models does not respond.
        """
        ...
