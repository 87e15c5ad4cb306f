"""What is kept of a caller's questions and answers: whose it is, and when it is erased.

A response or conversation can only be used by the key or token that it was made for, because the questions and the
answers are that caller's. The answers may quote documents: if the caller belongs to fewer groups by now, or may use
fewer vector stores, it is hidden from the caller as well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from rag.auth.caller import current_caller, current_tenant
from rag.catalog import access, groups
from rag.catalog.rows import Condition, read_first, read_row
from rag.catalog.schema import conversations, items, responses
from rag.errors import NotFound
from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class KeptRow:
    id: str
    caller_groups: Sequence[str] | None
    caller_stores: Sequence[str] | None


Kept = TypeVar("Kept", bound=KeptRow)
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
    connection: sa.Connection, table: sa.Table, row_type: type[Kept], object_id: str, *, for_update: bool = False
) -> Kept | None:
    """The row with this id, if the caller may use it.

    Args:
        for_update: Whether other transactions that want to change the row wait for this one.
    """
    statement = sa.select(table).where(table.c.id == object_id, _own(table))
    found = read_first(connection, row_type, statement.with_for_update() if for_update else statement)
    return found if found is not None and _is_readable(found) else None


def item(connection: sa.Connection, item_id: str, param: str) -> JsonObject:
    """An item of any response or conversation of the caller. Raises NotFound."""
    for table in (responses, conversations):
        joined = sa.select(table, items.c.body.label("item")).join(items, items.c.owner_id == table.c.id)
        for row in connection.execute(joined.where(items.c.id == item_id, _own(table))):
            if _is_readable(read_row(KeptRow, row)):
                body: JsonObject = row.item
                return body
    raise NotFound(f"{param}: there is no item {item_id[:80]!r}", param=param)


def delete(connection: sa.Connection, table: sa.Table, ids: Collection[str]) -> None:
    connection.execute(sa.delete(items).where(items.c.owner_id.in_(ids)))
    connection.execute(sa.delete(table).where(table.c.id.in_(ids)))


def any_expired(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(table.c.id).where(_expired(table)).limit(1)).first() is not None


def delete_expired(connection: sa.Connection, table: sa.Table, limit: int) -> None:
    """Delete rows whose time has passed. A row that another transaction is renewing is left for the next time."""
    wanted = sa.select(table.c.id).where(_expired(table)).limit(limit).with_for_update(skip_locked=True)
    delete(connection, table, list(connection.execute(wanted).scalars()))


def _expired(table: sa.Table) -> Condition:
    return table.c.expires_at < time.time()


def _own(table: sa.Table) -> Condition:
    """Rows that were made for the current caller and have not expired."""
    if (caller := current_caller.get()) is None:
        return ~_expired(table)
    return ~_expired(table) & (table.c.tenant == caller.tenant) & (table.c.created_by == caller.key_id)


def _is_readable(row: KeptRow) -> bool:
    """Whether the caller may still read all that it could read when something was last added to the row."""
    if (caller := current_caller.get()) is None:
        return True
    return _covers(caller.read_groups, row.caller_groups) and _covers(caller.stores, row.caller_stores)


def _covers(present: frozenset[str] | None, former: Sequence[str] | None) -> bool:
    return present is None or (former is not None and present.issuperset(former))
