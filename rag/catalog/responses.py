"""Kept responses and their items.

A response can only be read by the key or token that it was made for, because the question and the answer are that
caller's. The answer may quote documents: if the caller belongs to fewer groups by now, or may use fewer vector stores,
the response is hidden from it as well.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.caller import current_caller, current_tenant
from rag.catalog import access, groups, listing
from rag.catalog.rows import Condition, ResultRow, read_row
from rag.catalog.schema import items, responses
from rag.errors import NotFound
from rag.records import Cursor, NewResponse, Page
from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class ResponseRow:
    id: str
    body: JsonObject
    previous_id: str | None
    caller_groups: Sequence[str] | None
    caller_stores: Sequence[str] | None


def insert(connection: sa.Connection, new: NewResponse, retention_s: float) -> None:
    caller, read_groups = current_caller.get(), groups.of_caller()
    stores = None if caller is None else caller.stores
    now = time.time()
    connection.execute(
        sa.insert(responses).values(
            id=new.response_id,
            body=new.body,
            previous_id=new.previous_id,
            created_at=now,
            expires_at=now + retention_s,
            tenant=current_tenant(),
            created_by=access.created_by(),
            caller_groups=None if read_groups is None else sorted(read_groups),
            caller_stores=None if stores is None else sorted(stores),
        )
    )
    rows = [
        {"owner_id": new.response_id, "id": item["id"], "is_output": is_output, "body": item}
        for is_output, part in ((False, new.input), (True, new.output))
        for item in part
    ]
    connection.execute(sa.insert(items), rows)


def get(connection: sa.Connection, response_id: str, param: str = "response_id") -> ResponseRow:
    """Raises NotFound."""
    row = connection.execute(sa.select(responses).where(responses.c.id == response_id, _own())).first()
    if row is None or not _is_readable(found := read_row(ResponseRow, row)):
        raise NotFound(f"{param}: there is no response {response_id[:80]!r}", param=param)
    return found


def items_of(connection: sa.Connection, response_id: str, *, is_output: bool | None = None) -> list[JsonObject]:
    """The items of a response, in their order. `is_output`: None for both kinds."""
    wanted = sa.select(items.c.body).where(items.c.owner_id == response_id).order_by(items.c.seq)
    if is_output is not None:
        wanted = wanted.where(items.c.is_output == is_output)
    return list(connection.execute(wanted).scalars())


def input_page(connection: sa.Connection, response_id: str, cursor: Cursor) -> Page[JsonObject]:
    """A page of a response's input items."""
    statement = sa.select(items).where(items.c.owner_id == response_id, ~items.c.is_output)
    return listing.page(connection, statement, items.c.seq, items.c.id, cursor, _body)


def item(connection: sa.Connection, item_id: str, param: str) -> JsonObject:
    """An item of any response of the caller. Raises NotFound."""
    joined = sa.select(responses, items.c.body.label("item")).join(items, items.c.owner_id == responses.c.id)
    for row in connection.execute(joined.where(items.c.id == item_id, _own())):
        if _is_readable(read_row(ResponseRow, row)):
            body: JsonObject = row.item
            return body
    raise NotFound(f"{param}: there is no item {item_id[:80]!r}", param=param)


def delete(connection: sa.Connection, response_ids: Collection[str]) -> None:
    connection.execute(sa.delete(items).where(items.c.owner_id.in_(response_ids)))
    connection.execute(sa.delete(responses).where(responses.c.id.in_(response_ids)))


def expired(connection: sa.Connection, limit: int) -> list[str]:
    """Ids of responses whose time has passed."""
    wanted = sa.select(responses.c.id).where(responses.c.expires_at < time.time()).limit(limit)
    return list(connection.execute(wanted).scalars())


def _body(row: ResultRow) -> JsonObject:
    body: JsonObject = row._mapping["body"]
    return body


def _own() -> Condition:
    """A condition on `responses`: made for the current caller, and not expired."""
    kept = responses.c.expires_at >= time.time()
    if (caller := current_caller.get()) is None:
        return kept
    return kept & (responses.c.tenant == caller.tenant) & (responses.c.created_by == caller.key_id)


def _is_readable(row: ResponseRow) -> bool:
    """Whether the caller may still read all that it could read when the response was made."""
    if (caller := current_caller.get()) is None:
        return True
    return _covers(caller.read_groups, row.caller_groups) and _covers(caller.stores, row.caller_stores)


def _covers(present: frozenset[str] | None, former: Sequence[str] | None) -> bool:
    return present is None or (former is not None and present.issuperset(former))
