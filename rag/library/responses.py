"""Operations on kept responses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog import responses
from rag.catalog.database import Database
from rag.errors import NotFound
from rag.records import Cursor, NewResponse, Page
from rag.types import JsonObject

_MAX_HISTORY = 2000
"""Maximum number of earlier items that are looked up; more would not fit into any prompt."""
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class EarlierTurns:
    """The earlier items that a request refers to by their ids."""

    history: Sequence[JsonObject]
    """The items of the previous responses, oldest first."""
    items: Sequence[JsonObject]
    """Those that the request refers to, in its order."""


class ResponseRegistry:
    """The responses in the catalog that were made for the current caller. Methods block.

    Raises NotFound for responses of others, as for those that do not exist.
    """

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention_s = retention_days * _DAY_S

    def insert(self, new: NewResponse) -> None:
        with self._database.write() as connection:
            responses.insert(connection, new, self._retention_s)

    def get(self, response_id: str) -> JsonObject:
        with self._database.read() as connection:
            body = responses.get(connection, response_id).body
            return {**body, "output": responses.items_of(connection, response_id, is_output=True)}

    def input_page(self, response_id: str, cursor: Cursor) -> Page[JsonObject]:
        with self._database.read() as connection:
            responses.get(connection, response_id)
            return responses.input_page(connection, response_id, cursor)

    def delete(self, response_id: str) -> None:
        with self._database.write() as connection:
            responses.get(connection, response_id)
            responses.delete(connection, [response_id])

    def earlier_turns(self, previous_id: str | None, item_ids: Sequence[str]) -> EarlierTurns:
        """The previous response with all before it, and the items that a request refers to."""
        with self._database.read() as connection:
            history = [] if previous_id is None else _history(connection, previous_id)
            return EarlierTurns(history, [responses.item(connection, each, "input") for each in item_ids])


def _history(connection: sa.Connection, previous_id: str) -> list[JsonObject]:
    """The newest items of the chain of responses, oldest first. The chain ends at a deleted or expired response."""
    row = responses.get(connection, previous_id, "previous_response_id")
    history = responses.items_of(connection, row.id)
    with suppress(NotFound):
        while row.previous_id is not None and len(history) < _MAX_HISTORY:
            row = responses.get(connection, row.previous_id)
            history = responses.items_of(connection, row.id) + history
    return history[-_MAX_HISTORY:]
