"""Operations on kept chat completions."""

from __future__ import annotations

from collections.abc import Mapping

from rag.catalog.answers import chat_completions, items, kept
from rag.catalog.answers.chat_completions import CompletionRow
from rag.catalog.database import Database
from rag.catalog.tables.schema import chat_completions as table
from rag.catalog.tenants import quotas
from rag.records import DAY_S, Cursor, NewCompletion, Page
from rag.types import JsonObject


class CompletionRegistry:
    """The chat completions in the catalog that were made for the current caller. Methods block.

    Raises NotFound for completions of others, as for those that do not exist.
    """

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention_s = retention_days * DAY_S

    def insert(self, new: NewCompletion) -> None:
        """Raises QuotaExceeded if the caller may not keep so much."""
        with self._database.write() as connection, quotas.enforced(connection, "max_kept_bytes"):
            chat_completions.insert(connection, new, self._retention_s)

    def get(self, completion_id: str) -> JsonObject:
        with self._database.read() as connection:
            return _completion(chat_completions.get(connection, completion_id))

    def page(self, cursor: Cursor, model: str | None, metadata: Mapping[str, str]) -> Page[JsonObject]:
        """See `rag.catalog.answers.chat_completions.page`."""
        with self._database.read() as connection:
            found = chat_completions.page(connection, cursor, model, metadata)
        return Page([_completion(row) for row in found.rows], found.has_more)

    def update(self, completion_id: str, metadata: Mapping[str, str]) -> JsonObject:
        with self._database.write() as connection, quotas.enforced(connection, "max_kept_bytes"):
            row = chat_completions.get(connection, completion_id, for_update=True)
            chat_completions.set_metadata(connection, row, metadata)
            return _completion(chat_completions.get(connection, completion_id))

    def delete(self, completion_id: str) -> None:
        with self._database.write() as connection:
            chat_completions.get(connection, completion_id, for_update=True)
            kept.delete(connection, table, [completion_id])

    def message_page(self, completion_id: str, cursor: Cursor) -> Page[JsonObject]:
        """The messages that the completion answers."""
        with self._database.read() as connection:
            chat_completions.get(connection, completion_id)
            return items.page(connection, completion_id, cursor)


def _completion(row: CompletionRow) -> JsonObject:
    return {**row.body, "metadata": dict(row.metadata)}
