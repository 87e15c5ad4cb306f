"""Stored questions and answers: who may use them, and when they are erased.

A response, chat completion or conversation can only be used by the key or token that created it, because questions and
answers are private to that caller. The answers may quote documents: if the caller belongs to fewer groups by now, or
may use fewer vector stores, it is hidden from the caller as well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from rag.auth.caller import current_caller, current_tenant
from rag.catalog import access, groups
from rag.catalog.tables.rows import Condition, RowType, read_first
from rag.catalog.tables.schema import background_responses, conversations, items, response_events, responses
from rag.errors import NotFound
from rag.types import JsonObject

_ROW_BYTES = 256
"""About what a row takes without its JSON."""


def new_columns(retention_s: float, *parts: object) -> JsonObject:
    """Columns of a new row of the current caller, which holds these JSON values."""
    own = {"created_at": time.time(), "tenant": current_tenant(), "created_by": access.created_by()}
    return {**own, **renewed_columns(retention_s), "bytes": _ROW_BYTES + size_of(*parts)}


def size_of(*parts: object) -> int:
    """The bytes of JSON values in the catalog."""
    return sum(len(json.dumps(part)) for part in parts)


def renewed_columns(retention_s: float) -> JsonObject:
    """Columns of a row to which the current caller adds something. The caller must be able to read the row."""
    caller, read_groups = current_caller.get(), groups.of_caller()
    stores = None if caller is None else caller.stores
    return {
        "expires_at": time.time() + retention_s,
        "caller_groups": None if read_groups is None else sorted(read_groups),
        "caller_stores": None if stores is None else sorted(stores),
    }


def find(
    connection: sa.Connection, table: sa.Table, row_type: type[RowType], object_id: str, *, for_update: bool = False
) -> RowType | None:
    """The row with this id, if the caller may use it.

    Args:
        for_update: Whether other transactions that want to change the row wait for this one.
    """
    statement = sa.select(table).where(table.c.id == object_id, usable(table))
    return read_first(connection, row_type, statement.with_for_update() if for_update else statement)


def usable(table: sa.Table) -> Condition:
    """Rows of the current caller that have not expired, if the caller may still read everything that it could read when
    something was last added to them.
    """
    is_kept = ~_expired(table)
    if (caller := current_caller.get()) is None:
        return is_kept
    is_own = (table.c.tenant == caller.tenant) & (table.c.created_by == caller.key_id)
    for column, present in ((table.c.caller_groups, caller.read_groups), (table.c.caller_stores, caller.stores)):
        if present is not None:
            is_own &= groups.all_among(column, present)
    return is_kept & is_own


def set_metadata(
    connection: sa.Connection, table: sa.Table, object_id: str, previous: Mapping[str, str], new: Mapping[str, str]
) -> None:
    size = table.c.bytes + size_of(dict(new)) - size_of(dict(previous))
    connection.execute(sa.update(table).where(table.c.id == object_id).values(metadata=dict(new), bytes=size))


def item(connection: sa.Connection, item_id: str, param: str) -> JsonObject:
    """An item of any response or conversation of the caller. Raises NotFound."""
    for table in (responses, conversations):
        joined = sa.select(items.c.body).join(table, items.c.owner_id == table.c.id)
        found = connection.execute(joined.where(items.c.id == item_id, usable(table))).first()
        if found is not None:
            body: JsonObject = found.body
            return body
    raise NotFound(f"{param}: there is no item {item_id[:80]!r}", param=param)


def delete(connection: sa.Connection, table: sa.Table, ids: Collection[str]) -> None:
    """Erase rows with all that belongs to them. A response that is being generated is stopped: its lease ends."""
    owners = (items.c.owner_id, response_events.c.response_id, background_responses.c.id, table.c.id)
    for owner in owners:
        connection.execute(sa.delete(owner.table).where(owner.in_(ids)))


def any_expired(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(table.c.id).where(_expired(table)).limit(1)).first() is not None


def delete_expired(connection: sa.Connection, table: sa.Table, limit: int) -> int:
    """Delete expired rows, except those that another transaction is changing. Returns their number."""
    wanted = sa.select(table.c.id).where(_expired(table)).limit(limit).with_for_update(skip_locked=True)
    ids = list(connection.execute(wanted).scalars())
    delete(connection, table, ids)
    return len(ids)


def _expired(table: sa.Table) -> Condition:
    return table.c.expires_at < time.time()
