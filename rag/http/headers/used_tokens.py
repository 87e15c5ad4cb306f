"""Tokens that a request uses in a service: the Retriever reports them to the edge, which counts them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

AddTokens: TypeAlias = Callable[[int], Awaitable[None]]
"""Counts tokens that the current request has used."""


@dataclass(slots=True)
class UsedTokens:
    """Tokens used by one request so far."""

    count: int = 0


current_used_tokens: ContextVar[UsedTokens | None] = ContextVar("used_tokens", default=None)
"""None outside of requests."""


async def report_tokens(tokens: int) -> None:
    """Add to the count in the header of the current response. What jobs use is not counted."""
    if (used := current_used_tokens.get()) is not None:
        used.count += tokens


async def ignore_tokens(tokens: int) -> None:
    """Where nothing is limited."""
