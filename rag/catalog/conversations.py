"""Conversations, whose items are the messages and searches of several responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog import items, kept
from rag.catalog.kept import KeptRow
from rag.catalog.schema import conversations
from rag.errors import InvalidRequest, NotFound
from rag.types import JsonMapping

MAX_ITEMS = 10_000
"""Of one conversation. A prompt has room for far fewer."""


@dataclass(frozen=True, slots=True)
class ConversationRow(KeptRow):
    metadata: Mapping[str, str]
    created_at: float


def insert(connection: sa.Connection, conversation_id: str, metadata: Mapping[str, str], retention_s: float) -> None:
    own = {"id": conversation_id, "metadata": dict(metadata)}
    connection.execute(sa.insert(conversations).values(**own, **kept.new_columns(retention_s)))


def get(
    connection: sa.Connection, conversation_id: str, param: str = "conversation_id", *, for_update: bool = False
) -> ConversationRow:
    """Raises NotFound.

    Args:
        for_update: Whether other transactions that want to change the conversation wait for this one.
    """
    found = kept.find(connection, conversations, ConversationRow, conversation_id, for_update=for_update)
    if found is None:
        raise NotFound(f"{param}: there is no conversation {conversation_id[:80]!r}", param=param)
    return found


def append(
    connection: sa.Connection, conversation_id: str, bodies: Sequence[JsonMapping], retention_s: float, param: str
) -> None:
    """Add items to a conversation that was got `for_update`. It then expires later.

    Raises:
        InvalidRequest: it would have too many items.
    """
    check_room(connection, conversation_id, len(bodies), param)
    renewed = kept.renewed_columns(retention_s)
    connection.execute(sa.update(conversations).where(conversations.c.id == conversation_id).values(**renewed))
    items.append(connection, conversation_id, bodies)


def check_room(connection: sa.Connection, conversation_id: str, added: int, param: str) -> None:
    """Raises InvalidRequest if the conversation has no room for so many items."""
    if items.count(connection, conversation_id) + added > MAX_ITEMS:
        reason = f"the conversation would have more than {MAX_ITEMS:,} items; delete some, or create another"
        raise InvalidRequest(f"{param}: {reason}", param=param)


def set_metadata(connection: sa.Connection, conversation_id: str, metadata: Mapping[str, str]) -> None:
    values = {"metadata": dict(metadata)}
    connection.execute(sa.update(conversations).where(conversations.c.id == conversation_id).values(**values))
