"""Pages of lists, ordered by a column and then by id, so that no row is repeated or left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from rag.catalog.tables.rows import ResultRow, RowSelect
from rag.errors import InvalidRequest
from rag.records import Cursor, Page

T = TypeVar("T")


def page(
    connection: sa.Connection,
    statement: RowSelect,
    sort_column: sa.Column[Any],
    id_column: sa.Column[str],
    cursor: Cursor,
    read: Callable[[ResultRow], T],
    *,
    has_id: Callable[[str], sa.ColumnElement[bool]] | None = None,
) -> Page[T]:
    """The rows after (or before) the cursor's, each converted by `read`.

    Args:
        has_id: A condition that an index answers and only the row with an id meets; unset: `id_column` equals the id.

    Raises:
        InvalidRequest: the cursor names a row that is not in the list.
    """
    columns = (sort_column, id_column)
    position = sa.tuple_(*columns)
    ascending = cursor.order == "asc"
    backwards = cursor.before is not None and cursor.after is None
    for row_id, is_after in ((cursor.after, True), (cursor.before, False)):
        if row_id is not None:
            own_row = statement.where(id_column == row_id if has_id is None else has_id(row_id))
            value, bound = _position_of(connection, own_row.with_only_columns(*columns), columns, row_id, is_after)
            goes_up = ascending == is_after
            # The first condition follows from the second; databases can use an index for it.
            statement = statement.where(sort_column >= value if goes_up else sort_column <= value)
            statement = statement.where(position > bound if goes_up else position < bound)
    oldest_first = ascending != backwards
    order = (sort_column.asc(), id_column.asc()) if oldest_first else (sort_column.desc(), id_column.desc())
    rows = [read(row) for row in connection.execute(statement.order_by(*order).limit(cursor.limit + 1))]
    wanted = rows[: cursor.limit]
    return Page(wanted[::-1] if backwards else wanted, has_more=len(rows) > cursor.limit)


def _position_of(
    connection: sa.Connection,
    statement: sa.Select[Any],
    columns: tuple[sa.Column[Any], sa.Column[str]],
    row_id: str,
    is_after: bool,
) -> tuple[sa.BindParameter[Any], sa.Tuple]:
    """The row's value in the first column, and its values in both."""
    name = "after" if is_after else "before"
    row = connection.execute(statement).first()
    if row is None:
        raise InvalidRequest(f"{name}: the list has no item {row_id[:80]!r}", param=name)
    values = [sa.literal(value, column.type) for value, column in zip(row, columns, strict=True)]
    return values[0], sa.tuple_(*values)
