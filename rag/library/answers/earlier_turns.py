"""The turns of a conversation that a request refers to by ids, and what is found for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class TurnsQuery:
    """The earlier items that a request refers to by ids."""

    previous_id: str | None = None
    """Of a response: its items and those before."""
    conversation_id: str | None = None
    item_ids: Sequence[str] = ()
    added: int = 0
    """Number of items that the request will add to the conversation at least."""
    is_kept: bool = False
    """Whether the response, or its items, will be kept."""


@dataclass(frozen=True, slots=True)
class EarlierTurns:
    """What a request refers to."""

    history: Sequence[JsonObject]
    """The items of the previous responses or of the conversation, oldest first."""
    items: Sequence[JsonObject]
    """Those that the request refers to one by one, in its order."""
