"""Batches of requests. The key or token that created a batch can use it, and administrators of its tenant can."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.caller import WITHOUT_KEY, caller_to_header, current_caller, current_tenant
from rag.catalog import access, groups, listing
from rag.catalog.tables.batch_tables import batches
from rag.catalog.tables.rows import Condition, ResultRow, read_first, read_row, read_rows
from rag.errors import NotFound
from rag.records import DAY_S, BatchFault, BatchRecord, BatchState, Cursor, NewBatch, Page
from rag.types import JsonMapping, JsonObject

WINDOW_S = DAY_S
"""How long a batch may take: OpenAI's only completion window."""
KEPT_S = 31 * DAY_S
"""How long a batch is kept after its end: longer than its files."""
UNFINISHED: tuple[BatchState, ...] = ("validating", "in_progress", "finalizing", "cancelling")


@dataclass(frozen=True, slots=True)
class BatchWorkRow:
    """The columns of a batch that processing needs."""

    id: str
    endpoint: str
    input_blob_id: str
    state: BatchState
    end_state: BatchState | None
    errors: Sequence[JsonObject]
    total: int
    completed: int
    failed: int
    output_expiry_s: int
    created_at: float
    deadline_at: float
    paused_until: float
    held_until: float
    tenant: str
    created_by: str
    caller: str


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The final state of a batch, with its output files."""

    output_file_id: str | None
    error_file_id: str | None
    failed: int
    usage: JsonMapping | None


def insert(connection: sa.Connection, new: NewBatch, blob_id: str) -> str:
    """Returns the id of the new batch."""
    batch_id, now = f"batch_{uuid.uuid4().hex[:24]}", time.time()
    caller, read_groups = current_caller.get() or WITHOUT_KEY, groups.of_caller()
    connection.execute(
        sa.insert(batches).values(
            id=batch_id,
            endpoint=new.endpoint,
            input_file_id=new.input_file_id,
            input_blob_id=blob_id,
            state="validating",
            errors=[],
            metadata=dict(new.metadata),
            model="",
            total=0,
            completed=0,
            failed=0,
            output_expiry_s=new.output_expiry_s,
            created_at=now,
            deadline_at=now + WINDOW_S,
            paused_until=0.0,
            held_until=0.0,
            tenant=current_tenant(),
            created_by=access.created_by(),
            caller=caller_to_header(caller),
            caller_groups=None if read_groups is None else sorted(read_groups),
            caller_stores=None if caller.stores is None else sorted(caller.stores),
        )
    )
    return batch_id


def get(connection: sa.Connection, batch_id: str, *, for_update: bool = False) -> BatchRecord:
    """Raises NotFound.

    Args:
        for_update: Whether other transactions that want to change the batch wait for this one.
    """
    wanted = sa.select(batches).where(batches.c.id == batch_id, access.visible_batches())
    row = read_first(connection, BatchRecord, wanted.with_for_update() if for_update else wanted)
    if row is None:
        raise NotFound(f"batch_id: no batch found with the id {batch_id[:80]!r}", param="batch_id")
    return row


def page(connection: sa.Connection, cursor: Cursor) -> Page[BatchRecord]:
    def read(row: ResultRow) -> BatchRecord:
        return read_row(BatchRecord, row)

    wanted = sa.select(batches).where(access.visible_batches())
    return listing.page(connection, wanted, batches.c.created_at, batches.c.id, cursor, read)


def unfinished(connection: sa.Connection) -> list[BatchWorkRow]:
    """Returns the unfinished batches of all callers, the oldest first."""
    wanted = sa.select(batches).where(batches.c.state.in_(UNFINISHED)).order_by(batches.c.created_at, batches.c.id)
    return read_rows(connection, BatchWorkRow, wanted)


def counts(connection: sa.Connection) -> dict[str, int]:
    """The number of batches by state."""
    counted = sa.select(batches.c.state, sa.func.count()).group_by(batches.c.state)
    return {str(state): int(number) for state, number in connection.execute(counted)}


def hold(connection: sa.Connection, row: BatchWorkRow, seconds: float) -> bool:
    """Claim the work on a batch that is to be validated or whose files are to be written.

    Returns False if its state has changed, or another process works on it.
    """
    now = time.time()
    is_free = _is(row.id, row.state) & (batches.c.held_until <= now)
    return _update(connection, is_free, held_until=now + seconds)


def let_go(connection: sa.Connection) -> None:
    """No process works on any batch."""
    connection.execute(sa.update(batches).where(batches.c.held_until > 0).values(held_until=0.0))


def begin(connection: sa.Connection, batch_id: str, total: int, model: str) -> bool:
    """Start a batch whose lines are all valid. Returns False if it was cancelled in the meantime."""
    values: JsonObject = {"state": "in_progress", "in_progress_at": time.time(), "total": total, "model": model}
    return _update(connection, _is(batch_id, "validating"), held_until=0.0, **values)


def refuse(connection: sa.Connection, batch_id: str, faults: Sequence[BatchFault]) -> bool:
    """End a batch whose file is not valid. Returns False if it was cancelled meanwhile."""
    errors = [fault.to_json() for fault in faults]
    return _update(connection, _is(batch_id, "validating"), state="failed", errors=errors, **_ended())


def begin_end(
    connection: sa.Connection, batch_id: str, end_state: BatchState, faults: Sequence[BatchFault] = ()
) -> bool:
    """Start to end the batch: no further line is started or recorded. Returns False if that had already started."""
    errors = [fault.to_json() for fault in faults]
    values: JsonObject = {"state": "finalizing", "finalizing_at": time.time(), "end_state": end_state}
    return _update(connection, _is(batch_id, "in_progress"), held_until=0.0, errors=errors, **values)


def cancel(connection: sa.Connection, batch_id: str) -> bool:
    """Cancel the batch. Returns False if it has ended or is about to."""
    wanted = (batches.c.id == batch_id) & batches.c.state.in_(("validating", "in_progress"))
    values: JsonObject = {"state": "cancelling", "cancelling_at": time.time(), "end_state": "cancelled"}
    return _update(connection, wanted, held_until=0.0, **values)


def end(connection: sa.Connection, row: BatchWorkRow, outcome: BatchOutcome) -> bool:
    """End the batch. Returns False if another process has ended it."""
    values: JsonObject = {"state": row.end_state, "failed": outcome.failed, "usage": outcome.usage}
    files = {"output_file_id": outcome.output_file_id, "error_file_id": outcome.error_file_id}
    return _update(connection, _is(row.id, row.state), **values, **files, **_ended())


def count_ended_lines(connection: sa.Connection, batch_id: str, *, completed: int, failed: int) -> None:
    own = batches.c.id == batch_id
    counted = {"completed": batches.c.completed + completed, "failed": batches.c.failed + failed}
    connection.execute(sa.update(batches).where(own).values(counted))


def pause(connection: sa.Connection, batch_id: str, seconds: float) -> None:
    """Let no line of the batch begin for a while."""
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(paused_until=time.time() + seconds))


def _ended() -> JsonObject:
    now = time.time()
    return {"ended_at": now, "expires_at": now + KEPT_S, "input_blob_id": None, "held_until": 0.0}


def _is(batch_id: str, state: BatchState) -> Condition:
    return (batches.c.id == batch_id) & (batches.c.state == state)


def _update(connection: sa.Connection, condition: Condition, **values: object) -> bool:
    return connection.execute(sa.update(batches).where(condition).values(values)).rowcount > 0
