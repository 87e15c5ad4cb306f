"""Kept responses."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog.answers import items, kept
from rag.catalog.tables.schema import responses
from rag.errors import NotFound
from rag.records import NewResponse
from rag.types import JsonMapping, JsonObject


@dataclass(frozen=True, slots=True)
class ResponseRow:
    id: str
    body: JsonObject
    previous_id: str | None
    bytes: int


def insert(connection: sa.Connection, new: NewResponse, retention_s: float) -> None:
    own = {"id": new.response_id, "body": new.body, "previous_id": new.previous_id}
    columns = kept.new_columns(retention_s, new.body, new.input, new.output)
    connection.execute(sa.insert(responses).values(**own, **columns))
    items.append(connection, new.response_id, new.input)
    items.append(connection, new.response_id, new.output, is_output=True)


def get(connection: sa.Connection, response_id: str, param: str = "response_id") -> ResponseRow:
    """Raises NotFound."""
    if (found := kept.find(connection, responses, ResponseRow, response_id)) is None:
        raise NotFound(f"{param}: there is no response {response_id[:80]!r}", param=param)
    return found


def any_body(connection: sa.Connection, response_id: str) -> JsonObject:
    """OpenAI's object without `output`, of a response that must exist. Not restricted to the caller."""
    body: JsonObject = connection.execute(sa.select(responses.c.body).where(responses.c.id == response_id)).scalar_one()
    return body


def change(connection: sa.Connection, response_id: str, body: JsonMapping | None, added_bytes: int = 0) -> None:
    """Change a response. `body`: None: it stays."""
    columns = {} if body is None else {"body": body}
    size = responses.c.bytes + added_bytes
    connection.execute(sa.update(responses).where(responses.c.id == response_id).values(bytes=size, **columns))
