"""The items of kept responses and conversations: messages and searches."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from rag.catalog import listing
from rag.catalog.tables.rows import ResultRow
from rag.catalog.tables.schema import items
from rag.records import Cursor, Page
from rag.types import JsonMapping, JsonObject


def append(connection: sa.Connection, owner_id: str, bodies: Iterable[JsonMapping], *, is_output: bool = False) -> None:
    """Add items after those that the response or conversation has."""
    rows = [{"owner_id": owner_id, "id": body["id"], "is_output": is_output, "body": body} for body in bodies]
    if rows:
        connection.execute(sa.insert(items), rows)


def of_owner(
    connection: sa.Connection, owner_id: str, *, is_output: bool | None = None, newest: int | None = None
) -> list[JsonObject]:
    """Items in their order.

    Args:
        is_output: None: both kinds.
        newest: Number of items from the end; None: all.
    """
    wanted = sa.select(items.c.body).where(items.c.owner_id == owner_id).order_by(items.c.seq.desc()).limit(newest)
    if is_output is not None:
        wanted = wanted.where(items.c.is_output == is_output)
    return list(connection.execute(wanted).scalars())[::-1]


def page(
    connection: sa.Connection, owner_id: str, cursor: Cursor, *, is_output: bool | None = None
) -> Page[JsonObject]:
    statement = sa.select(items).where(items.c.owner_id == owner_id)
    if is_output is not None:
        statement = statement.where(items.c.is_output == is_output)
    return listing.page(connection, statement, items.c.seq, items.c.id, cursor, _body)


def find(connection: sa.Connection, owner_id: str, item_id: str) -> JsonObject | None:
    wanted = sa.select(items.c.body).where(items.c.owner_id == owner_id, items.c.id == item_id)
    found: JsonObject | None = connection.execute(wanted).scalar()
    return found


def delete(connection: sa.Connection, owner_id: str, item_id: str) -> None:
    connection.execute(sa.delete(items).where(items.c.owner_id == owner_id, items.c.id == item_id))


def count(connection: sa.Connection, owner_id: str) -> int:
    wanted = sa.select(sa.func.count()).select_from(items).where(items.c.owner_id == owner_id)
    return int(connection.execute(wanted).scalar_one())


def _body(row: ResultRow) -> JsonObject:
    body: JsonObject = row._mapping["body"]
    return body
