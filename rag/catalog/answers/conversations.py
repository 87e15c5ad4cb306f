"""Conversations, whose items are the messages and searches of several responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog.answers import items, kept
from rag.catalog.tables.schema import conversations
from rag.errors import InvalidRequest, NotFound
from rag.types import JsonMapping, JsonObject

MAX_ITEMS = 10_000
"""The limit for one conversation before an answer is added to it. A prompt has room for far fewer."""
MAX_BYTES = 32 * 2**20
"""Nothing is added to a conversation of this size."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    id: str
    metadata: Mapping[str, str]
    created_at: float
    bytes: int


def insert(
    connection: sa.Connection,
    conversation_id: str,
    metadata: Mapping[str, str],
    bodies: Sequence[JsonMapping],
    retention_s: float,
) -> None:
    own = {"id": conversation_id, "metadata": dict(metadata)}
    columns = kept.new_columns(retention_s, own["metadata"], bodies)
    connection.execute(sa.insert(conversations).values(**own, **columns))
    items.append(connection, conversation_id, bodies)


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


def append(connection: sa.Connection, row: ConversationRow, bodies: Sequence[JsonMapping], retention_s: float) -> None:
    """Add items to a conversation that was got `for_update`. It then expires later.

    The size is not checked: the items of an answer that has begun are always added. Call `check_room` before an answer
    begins.
    """
    renewed = kept.renewed_columns(retention_s)
    _update(connection, row.id, kept.size_of(*bodies), **renewed)
    items.append(connection, row.id, bodies)


def check_room(connection: sa.Connection, row: ConversationRow, added: int, param: str) -> None:
    """Raises InvalidRequest if the conversation has no room for so many items."""
    reason = ""
    if items.count(connection, row.id) + added > MAX_ITEMS:
        reason = f"the conversation would have more than {MAX_ITEMS:,} items"
    elif row.bytes >= MAX_BYTES:
        reason = f"the conversation has {MAX_BYTES // 2**20} MiB"
    if reason:
        raise InvalidRequest(f"{param}: {reason}; delete items, or create another conversation", param=param)


def delete_item(connection: sa.Connection, conversation_id: str, item_id: str) -> None:
    """Raises NotFound."""
    body = item(connection, conversation_id, item_id)
    items.delete(connection, conversation_id, item_id)
    _update(connection, conversation_id, -kept.size_of(body))


def item(connection: sa.Connection, conversation_id: str, item_id: str) -> JsonObject:
    """Raises NotFound."""
    if (found := items.find(connection, conversation_id, item_id)) is None:
        raise NotFound(f"item_id: the conversation has no item {item_id[:80]!r}", param="item_id")
    return found


def set_metadata(connection: sa.Connection, row: ConversationRow, metadata: Mapping[str, str]) -> None:
    kept.set_metadata(connection, conversations, row.id, row.metadata, metadata)


def _update(connection: sa.Connection, conversation_id: str, added_bytes: int, **columns: object) -> None:
    size = conversations.c.bytes + added_bytes
    changed = sa.update(conversations).where(conversations.c.id == conversation_id)
    connection.execute(changed.values(**columns, bytes=size))
