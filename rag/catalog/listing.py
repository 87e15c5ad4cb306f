"""Pages of lists, by time of creation and then by id, so that no row is seen twice or left out."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from rag.errors import InvalidRequest
from rag.records import Cursor, Page


def page(
    connection: sa.Connection,
    statement: Any,
    time_column: Any,
    id_column: Any,
    cursor: Cursor,
) -> Page[Any]:
    """The rows after (or before) those of the cursor.

    Raises:
        InvalidRequest: the cursor names a row that the list does not have.
    """
    position = sa.tuple_(time_column, id_column)
    ascending = cursor.order == "asc"
    backwards = cursor.before is not None and cursor.after is None
    for bound, is_after in ((cursor.after, True), (cursor.before, False)):
        if bound is not None:
            mark = sa.tuple_(*_mark(connection, statement, time_column, id_column, bound, is_after))
            statement = statement.where(position > mark if ascending == is_after else position < mark)
    towards_new = ascending != backwards
    order = (time_column.asc(), id_column.asc()) if towards_new else (time_column.desc(), id_column.desc())
    rows = connection.execute(statement.order_by(*order).limit(cursor.limit + 1)).all()
    wanted = list(rows[: cursor.limit])
    return Page(wanted[::-1] if backwards else wanted, has_more=len(rows) > cursor.limit)


def _mark(
    connection: sa.Connection, statement: Any, time_column: Any, id_column: Any, bound: str, is_after: bool
) -> tuple[Any, Any]:
    name = "after" if is_after else "before"
    found = connection.execute(statement.with_only_columns(time_column, id_column).where(id_column == bound)).first()
    if found is None:
        raise InvalidRequest(f"{name}: the list has no {bound[:80]!r}", param=name)
    return sa.literal(found[0], time_column.type), sa.literal(found[1], id_column.type)
