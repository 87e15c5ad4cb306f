"""The queue of background responses, their leases, and the events of streamed ones.

An edge process that generates a response holds a lease: a random name that it must send with every write, and that
expires some time after the last one. Then another process may begin under a new name, and writes of the first one are
refused. No query here is restricted to the caller: whoever calls looks up the response in `responses` first, or has its
lease.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import sqlalchemy as sa

from rag.auth.caller import current_tenant
from rag.catalog import access
from rag.catalog.answers import kept
from rag.catalog.tables.rows import Condition, read_first
from rag.catalog.tables.schema import background_responses as table
from rag.catalog.tables.schema import response_events as events
from rag.records import NewWork, ResponseEvent
from rag.types import JsonObject

State: TypeAlias = Literal["queued", "running", "ended"]
UNFINISHED: tuple[State, ...] = ("queued", "running")
_FIRST_EVENTS = 2
"""Events that are written when it is queued. They stay when it is generated again."""


@dataclass(frozen=True, slots=True)
class ResponseWorkRow:
    id: str
    state: State
    request: JsonObject
    caller: str
    request_id: str
    streams: bool
    lease: str
    attempts: int
    last_number: int
    event_bytes: int


def insert(connection: sa.Connection, new: NewWork) -> None:
    now = time.time()
    own = {"id": new.response_id, "request": new.request, "caller": new.caller, "request_id": new.request_id}
    owner = {"tenant": current_tenant(), "created_by": access.created_by()}
    times = {"queued_at": now, "not_before": now}
    connection.execute(sa.insert(table).values(state="queued", streams=new.streams, **own, **owner, **times))


def find(connection: sa.Connection, response_id: str, *, for_update: bool = False) -> ResponseWorkRow | None:
    statement = sa.select(table).where(table.c.id == response_id)
    return read_first(connection, ResponseWorkRow, statement.with_for_update() if for_update else statement)


def unfinished(connection: sa.Connection) -> dict[str, int]:
    """How many have not ended, by state."""
    wanted = sa.select(table.c.state, sa.func.count()).where(table.c.state.in_(UNFINISHED)).group_by(table.c.state)
    return {row.state: int(row[1]) for row in connection.execute(wanted)}


def any_due(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(table.c.id).where(_is_due()).limit(1)).first() is not None


def claim(connection: sa.Connection, lease_s: float) -> ResponseWorkRow | None:
    """Lease the next response. Callers take turns: the one whose last turn is longest ago comes first."""
    for tenant, created_by in _callers_in_turn(connection):
        own = (table.c.tenant == tenant) & (table.c.created_by == created_by)
        wanted = sa.select(table).where(_is_due(), own).order_by(table.c.queued_at, table.c.id).limit(1)
        if (row := read_first(connection, ResponseWorkRow, wanted.with_for_update(skip_locked=True))) is not None:
            _set(connection, row.id, state="running", **_new_lease(lease_s), attempts=row.attempts + 1)
            return find(connection, row.id)
    return None


def _callers_in_turn(connection: sa.Connection) -> Sequence[tuple[str, str]]:
    other = table.alias()
    last_turn = sa.select(sa.func.max(other.c.leased_at)).where(
        other.c.tenant == table.c.tenant, other.c.created_by == table.c.created_by
    )
    wanted = (
        sa.select(table.c.tenant, table.c.created_by)
        .where(_is_due())
        .group_by(table.c.tenant, table.c.created_by)
        .order_by(sa.func.coalesce(last_turn.scalar_subquery(), 0.0), sa.func.min(table.c.queued_at))
    )
    return [(tenant, created_by) for tenant, created_by in connection.execute(wanted)]


def leased(connection: sa.Connection, response_id: str, lease: str) -> ResponseWorkRow | None:
    """The response, locked; None if the lease is no longer valid."""
    row = find(connection, response_id, for_update=True)
    return row if row is not None and row.state == "running" and row.lease == lease else None


def renew(connection: sa.Connection, response_id: str, lease_s: float) -> None:
    _set(connection, response_id, leased_until=time.time() + lease_s)


def requeue(connection: sa.Connection, row: ResponseWorkRow, after_s: float, *, is_counted: bool) -> None:
    """Release a lease and queue the response again.

    Args:
        is_counted: Whether this counts as one of the limited number of attempts.
    """
    attempts = row.attempts if is_counted else row.attempts - 1
    _set(connection, row.id, state="queued", lease="", not_before=time.time() + after_s, attempts=attempts)


def end(connection: sa.Connection, response_id: str) -> None:
    """Mark a response as ended, so that nothing more can be written to it, and erase the request and its caller."""
    _set(connection, response_id, state="ended", lease="", request={}, caller="")


def append_events(connection: sa.Connection, row: ResponseWorkRow, new: Sequence[ResponseEvent]) -> int:
    """Add events, with the next numbers. Returns their size in bytes."""
    if not new:
        return 0
    numbered = [
        {"response_id": row.id, "number": number, "name": name, "body": {**body, "sequence_number": number}}
        for number, (name, body) in enumerate(new, row.last_number + 1)
    ]
    connection.execute(sa.insert(events), numbered)
    size = kept.size_of(*(each["body"] for each in numbered))
    _set(connection, row.id, last_number=row.last_number + len(new), event_bytes=row.event_bytes + size)
    return size


def erase_attempt(connection: sa.Connection, row: ResponseWorkRow) -> int:
    """Erase the events of an interrupted attempt. Returns their size in bytes. Their numbers are not used again."""
    first = events_after(connection, row.id, -1, _FIRST_EVENTS)
    left = kept.size_of(*(body for _, body in first))
    connection.execute(sa.delete(events).where(events.c.response_id == row.id, events.c.number >= _FIRST_EVENTS))
    _set(connection, row.id, event_bytes=left)
    return row.event_bytes - left


def events_after(connection: sa.Connection, response_id: str, number: int, limit: int) -> list[ResponseEvent]:
    wanted = sa.select(events.c.name, events.c.body).where(
        events.c.response_id == response_id, events.c.number > number
    )
    return [(name, body) for name, body in connection.execute(wanted.order_by(events.c.number).limit(limit))]


def _is_due() -> Condition:
    """Queued, or leased by a process that has not written for too long."""
    now = time.time()
    is_queued = (table.c.state == "queued") & (table.c.not_before <= now)
    return is_queued | ((table.c.state == "running") & (table.c.leased_until < now))


def _new_lease(lease_s: float) -> JsonObject:
    now = time.time()
    return {"lease": uuid.uuid4().hex, "leased_at": now, "leased_until": now + lease_s}


def _set(connection: sa.Connection, response_id: str, **columns: object) -> None:
    connection.execute(sa.update(table).where(table.c.id == response_id).values(**columns))
