"""Headers with which the Retriever tells the edge about a response. Clients do not get them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

OBJECT_ID = "x-rag-object-id"
"""The id of what the request created or changed."""
USED_TOKENS = "x-rag-used-tokens"
"""Tokens of embeddings and reranking."""

AddTokens: TypeAlias = Callable[[int], Awaitable[None]]
"""Counts tokens that the current request has used."""


async def ignore_tokens(tokens: int) -> None:
    """Where nothing is limited."""
