"""The lines of batches: claims of the edges that run them, and results.

An edge claims a line for a while before it runs it, and renews the claim. A line whose claim has expired can be claimed
again, so no line is lost with its edge. Only the first result of a line is stored.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import sqlalchemy as sa

from rag.catalog.tables.batch_tables import batch_lines, batches
from rag.catalog.tables.rows import Condition, read_rows
from rag.types import JsonMapping, JsonObject

LineState: TypeAlias = Literal["pending", "completed", "failed"]
LineKey: TypeAlias = tuple[str, int]
"""The batch's id and the line's number."""


@dataclass(frozen=True, slots=True)
class NewLine:
    number: int
    custom_id: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class ClaimedLine:
    number: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class EndedLine:
    number: int
    custom_id: str
    state: LineState
    result: bytes | None

    @property
    def response(self) -> JsonObject:
        """What `finish` was given. The line must have ended."""
        assert self.result is not None
        response: JsonObject = json.loads(zlib.decompress(self.result))
        return response


def insert(connection: sa.Connection, batch_id: str, lines: Sequence[NewLine]) -> None:
    values = [
        {"batch_id": batch_id, "number": line.number, "custom_id": line.custom_id, "offset": line.offset}
        | {"length": line.length, "state": "pending", "attempts": 0}
        for line in lines
    ]
    connection.execute(sa.insert(batch_lines), values)


def delete(connection: sa.Connection, batch_id: str) -> None:
    connection.execute(sa.delete(batch_lines).where(batch_lines.c.batch_id == batch_id))


def running(connection: sa.Connection) -> dict[str, int]:
    """How many lines are claimed, by batch."""
    claimed = batch_lines.c.claimed_until > time.time()
    counted = sa.select(batch_lines.c.batch_id, sa.func.count()).where(claimed).group_by(batch_lines.c.batch_id)
    return {str(batch_id): int(number) for batch_id, number in connection.execute(counted)}


def claim(connection: sa.Connection, batch_id: str, worker: str, limit: int, claim_s: float) -> list[ClaimedLine]:
    """Claim lines that no edge runs. Lines with more attempts come later."""
    columns, now = batch_lines.c, time.time()
    is_free = columns.claimed_until.is_(None) | (columns.claimed_until <= now)
    wanted = sa.select(batch_lines).where(columns.batch_id == batch_id, columns.state == "pending", is_free)
    lines = read_rows(connection, ClaimedLine, wanted.order_by(columns.attempts, columns.number).limit(limit))
    chosen = (columns.batch_id == batch_id) & columns.number.in_([line.number for line in lines])
    claimed = {"claimed_by": worker, "claimed_until": now + claim_s, "attempts": columns.attempts + 1}
    connection.execute(sa.update(batch_lines).where(chosen).values(claimed))
    return lines


def renew(connection: sa.Connection, keys: Collection[LineKey], worker: str, claim_s: float) -> set[LineKey]:
    """Renew the claims of an edge. Returns the lines that it still holds; it must stop the others."""
    now, kept = time.time(), set[LineKey]()
    for key in keys:
        is_own = (batch_lines.c.claimed_by == worker) | (batch_lines.c.claimed_until <= now)
        own = _open(key) & (is_own | batch_lines.c.claimed_until.is_(None))
        values = {"claimed_by": worker, "claimed_until": now + claim_s}
        if connection.execute(sa.update(batch_lines).where(own).values(values)).rowcount:
            kept.add(key)
    return kept


def release(connection: sa.Connection, key: LineKey, worker: str) -> None:
    """Let other edges claim the line."""
    own = _open(key) & (batch_lines.c.claimed_by == worker)
    connection.execute(sa.update(batch_lines).where(own).values(claimed_by=None, claimed_until=None))


def release_all(connection: sa.Connection) -> None:
    """Release all claims. An edge that still runs a line renews its claim."""
    claimed = batch_lines.c.claimed_until.is_not(None)
    connection.execute(sa.update(batch_lines).where(claimed).values(claimed_by=None, claimed_until=None))


def finish(connection: sa.Connection, key: LineKey, state: LineState, response: JsonMapping) -> bool:
    """Store the response of a line, whichever edge has claimed it. Returns False if it has one already, or if its batch
    is ending.
    """
    result = zlib.compress(json.dumps(response).encode(), level=1)
    values = {"state": state, "result": result, "claimed_by": None, "claimed_until": None}
    return connection.execute(sa.update(batch_lines).where(_open(key)).values(values)).rowcount > 0


def in_order(connection: sa.Connection, batch_id: str, after: int, limit: int) -> list[EndedLine]:
    """Lines with higher numbers than `after`."""
    own = (batch_lines.c.batch_id == batch_id) & (batch_lines.c.number > after)
    return read_rows(
        connection, EndedLine, sa.select(batch_lines).where(own).order_by(batch_lines.c.number).limit(limit)
    )


def _open(key: LineKey) -> Condition:
    """The line, if it is to be answered: its batch is in progress."""
    batch_id, number = key
    in_progress = sa.exists().where(batches.c.id == batch_id, batches.c.state == "in_progress")
    is_pending = batch_lines.c.state == "pending"
    return (batch_lines.c.batch_id == batch_id) & (batch_lines.c.number == number) & is_pending & in_progress
