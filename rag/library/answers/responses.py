"""Operations on kept responses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog.answers import conversations, items, kept, responses
from rag.catalog.database import Database
from rag.catalog.tables.schema import responses as table
from rag.catalog.tenants import quotas
from rag.errors import InvalidRequest, NotFound
from rag.records import DAY_S, Cursor, NewResponse, Page
from rag.types import JsonObject

_MAX_HISTORY = 2000
"""Maximum number of earlier items that are looked up; more would not fit into any prompt."""
_MAX_HISTORY_BYTES = 32 * 2**20
"""No response before those of this size is looked up."""
UNFINISHED = ("queued", "in_progress")
"""The states of a response in the background that has not ended."""


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
    history: Sequence[JsonObject]
    """The items of the previous responses or of the conversation, oldest first."""
    items: Sequence[JsonObject]
    """Those that the request refers to one by one, in its order."""


class ResponseRegistry:
    """The responses in the catalog that were made for the current caller. Methods block.

    Raises NotFound for responses of others, as for those that do not exist.
    """

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention_s = retention_days * DAY_S

    def insert(self, new: NewResponse) -> None:
        """Keep a response, add its items to its conversation, or both.

        Raises:
            NotFound: the conversation was deleted meanwhile.
            QuotaExceeded: the caller may not keep so much.
        """
        with self._database.write() as connection, quotas.enforced(connection, "max_kept_bytes"):
            if new.conversation_id is not None:
                row = conversations.get(connection, new.conversation_id, "conversation", for_update=True)
                added = [*new.input, *new.output]
                conversations.append(connection, row, added, self._retention_s)
            if new.is_kept:
                responses.insert(connection, new, self._retention_s)

    def get(self, response_id: str) -> JsonObject:
        with self._database.read() as connection:
            body = responses.get(connection, response_id).body
            return {**body, "output": items.of_owner(connection, response_id, is_output=True)}

    def input_page(self, response_id: str, cursor: Cursor) -> Page[JsonObject]:
        with self._database.read() as connection:
            responses.get(connection, response_id)
            return items.page(connection, response_id, cursor, is_output=False)

    def delete(self, response_id: str) -> None:
        with self._database.write() as connection:
            responses.get(connection, response_id)
            kept.delete(connection, table, [response_id])

    def earlier_turns(self, query: TurnsQuery) -> EarlierTurns:
        """The items that a request refers to.

        Raises:
            InvalidRequest: the conversation has no room for the answer.
            QuotaExceeded: the caller may keep nothing more.
        """
        with self._database.read() as connection:
            if query.is_kept:
                quotas.check_left(connection, "max_kept_bytes")
            history = _history(connection, query)
            return EarlierTurns(history, [kept.item(connection, each, "input") for each in query.item_ids])


def _history(connection: sa.Connection, query: TurnsQuery) -> list[JsonObject]:
    """The newest earlier items, oldest first."""
    if query.conversation_id is not None:
        row = conversations.get(connection, query.conversation_id, "conversation")
        if query.is_kept:
            conversations.check_room(connection, row, query.added, "conversation")
        return items.of_owner(connection, query.conversation_id, newest=_MAX_HISTORY)
    return [] if query.previous_id is None else _chain(connection, query.previous_id)


def _chain(connection: sa.Connection, previous_id: str) -> list[JsonObject]:
    """The items of a response and those before it. The chain ends at a deleted or expired response, and at one with a
    compaction, which stands for all before it.
    """
    row = responses.get(connection, previous_id, "previous_response_id")
    if row.body.get("status") in UNFINISHED:
        reason = "the response has not ended yet; wait until it has, or cancel it"
        raise InvalidRequest(f"previous_response_id: {reason}", param="previous_response_id")
    history, size = items.of_owner(connection, row.id), row.bytes
    with suppress(NotFound):
        while row.previous_id is not None and not _is_complete(history, size):
            row = responses.get(connection, row.previous_id)
            size += row.bytes
            history = items.of_owner(connection, row.id) + history
    return history[-_MAX_HISTORY:]


def _is_complete(history: Sequence[JsonObject], size: int) -> bool:
    """Whether nothing before these items is needed."""
    is_compacted = any(item["type"] == "compaction" for item in history)
    return is_compacted or len(history) >= _MAX_HISTORY or size >= _MAX_HISTORY_BYTES
