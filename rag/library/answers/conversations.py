"""Operations on conversations."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from rag.catalog.answers import conversations, items, kept
from rag.catalog.answers.conversations import ConversationRow
from rag.catalog.database import Database
from rag.catalog.tables.schema import conversations as table
from rag.catalog.tenants import quotas
from rag.errors import InvalidRequest
from rag.records import DAY_S, ConversationRecord, Cursor, Page
from rag.types import JsonMapping, JsonObject


class ConversationRegistry:
    """The conversations in the catalog that were made for the current caller. Methods block.

    Raises NotFound for conversations of others, as for those that do not exist. What adds something raises
    QuotaExceeded if the caller may keep no more.

    Args:
        may_store: Whether conversations may be created and added to.
    """

    def __init__(self, database: Database, retention_days: int, *, may_store: bool = True) -> None:
        self._database = database
        self._retention_s = retention_days * DAY_S
        self._may_store = may_store

    def create(self, metadata: Mapping[str, str], new_items: Sequence[JsonMapping]) -> ConversationRecord:
        self._check_may_store()
        conversation_id = f"conv_{uuid.uuid4().hex}"
        with self._database.write() as connection, quotas.enforced(connection, "max_kept_bytes"):
            conversations.insert(connection, conversation_id, metadata, new_items, self._retention_s)
            return _record(conversations.get(connection, conversation_id))

    def get(self, conversation_id: str) -> ConversationRecord:
        with self._database.read() as connection:
            return _record(conversations.get(connection, conversation_id))

    def update(self, conversation_id: str, metadata: Mapping[str, str]) -> ConversationRecord:
        with self._database.write() as connection, quotas.enforced(connection, "max_kept_bytes"):
            row = conversations.get(connection, conversation_id, for_update=True)
            conversations.set_metadata(connection, row, metadata)
            return _record(conversations.get(connection, conversation_id))

    def delete(self, conversation_id: str) -> None:
        with self._database.write() as connection:
            conversations.get(connection, conversation_id, for_update=True)
            kept.delete(connection, table, [conversation_id])

    def add_items(self, conversation_id: str, new_items: Sequence[JsonMapping]) -> None:
        self._check_may_store()
        with self._database.write() as connection, quotas.enforced(connection, "max_kept_bytes"):
            row = conversations.get(connection, conversation_id, for_update=True)
            conversations.check_room(connection, row, len(new_items), "items")
            conversations.append(connection, row, new_items, self._retention_s)

    def item_page(self, conversation_id: str, cursor: Cursor) -> Page[JsonObject]:
        with self._database.read() as connection:
            conversations.get(connection, conversation_id)
            return items.page(connection, conversation_id, cursor)

    def item(self, conversation_id: str, item_id: str) -> JsonObject:
        with self._database.read() as connection:
            conversations.get(connection, conversation_id)
            return conversations.item(connection, conversation_id, item_id)

    def delete_item(self, conversation_id: str, item_id: str) -> ConversationRecord:
        """The conversation without the item."""
        with self._database.write() as connection:
            row = conversations.get(connection, conversation_id, for_update=True)
            conversations.delete_item(connection, conversation_id, item_id)
            return _record(row)

    def _check_may_store(self) -> None:
        if not self._may_store:
            raise InvalidRequest("this service keeps no conversations (RAG_RESPONSES__STORE)")


def _record(row: ConversationRow) -> ConversationRecord:
    return ConversationRecord(row.id, row.created_at, row.metadata)
