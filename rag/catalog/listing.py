"""Pages of lists, ordered by time of creation and then by id, so that no row is repeated or left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from rag.catalog.rows import ResultRow, RowSelect
from rag.errors import InvalidRequest
from rag.records import Cursor, Page

T = TypeVar("T")


def page(
    connection: sa.Connection,
    statement: RowSelect,
    time_column: sa.Column[float] | sa.Column[int],
    id_column: sa.Column[str],
    cursor: Cursor,
    read: Callable[[ResultRow], T],
) -> Page[T]:
    """The rows after (or before) the cursor's, each converted by `read`.

    Raises:
        InvalidRequest: the cursor names a row that is not in the list.
    """
    position = sa.tuple_(time_column, id_column)
    ascending = cursor.order == "asc"
    backwards = cursor.before is not None and cursor.after is None
    for row_id, is_after in ((cursor.after, True), (cursor.before, False)):
        if row_id is not None:
            bound = _position_of(connection, statement, time_column, id_column, row_id, is_after)
            statement = statement.where(position > bound if ascending == is_after else position < bound)
    oldest_first = ascending != backwards
    order = (time_column.asc(), id_column.asc()) if oldest_first else (time_column.desc(), id_column.desc())
    rows = [read(row) for row in connection.execute(statement.order_by(*order).limit(cursor.limit + 1))]
    wanted = rows[: cursor.limit]
    return Page(wanted[::-1] if backwards else wanted, has_more=len(rows) > cursor.limit)


def _position_of(
    connection: sa.Connection,
    statement: RowSelect,
    time_column: sa.Column[float] | sa.Column[int],
    id_column: sa.Column[str],
    row_id: str,
    is_after: bool,
) -> sa.Tuple:
    name = "after" if is_after else "before"
    row = connection.execute(statement.with_only_columns(time_column, id_column).where(id_column == row_id)).first()
    if row is None:
        raise InvalidRequest(f"{name}: the list has no item {row_id[:80]!r}", param=name)
    return sa.tuple_(sa.literal(row[0], time_column.type), sa.literal(row[1], id_column.type))
