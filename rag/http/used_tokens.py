"""How the Retriever tells the edge what a request used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

USED_TOKENS = "x-rag-used-tokens"
"""Response header between services: tokens of embeddings and reranking. Clients do not get it."""

AddTokens: TypeAlias = Callable[[int], Awaitable[None]]
"""Counts tokens that the current request has used."""


async def ignore_tokens(tokens: int) -> None:
    """Where nothing is limited."""
