"""Jobs: accepted work, its files and its states. `rag.catalog.documents.job_records` makes records for callers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from rag.auth.caller import current_tenant
from rag.catalog import access
from rag.catalog.tables.rows import UNFINISHED, Condition, JobDetails, JobRow, VersionRow, read_first, read_rows
from rag.catalog.tables.schema import job_files, jobs, versions
from rag.errors import Conflict, NotFound
from rag.records import JobKind, JobState
from rag.types import Change

STALLED_AFTER_S = 60.0
"""A running job without progress for so long is stalled; embedding a batch of chunks takes a second or two."""
_ID_PREFIX: Mapping[JobKind, str] = {"ingest": "vsfb", "reindex": "reindex"}


def insert(
    connection: sa.Connection,
    kind: JobKind,
    store_id: str,
    *,
    idempotency_key: str | None = None,
    fingerprint: str = "",
    details: JobDetails | None = None,
) -> str:
    """Insert a queued job. Returns its id."""
    job_id = f"{_ID_PREFIX[kind]}_{uuid.uuid4().hex[:24]}"
    connection.execute(
        sa.insert(jobs).values(
            id=job_id,
            kind=kind,
            store_id=store_id,
            state="queued",
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            created_at=time.time(),
            details=dict(details or {}),
            tenant=current_tenant(),
            created_by=access.created_by(),
        )
    )
    return job_id


def add_files(connection: sa.Connection, job_id: str, changes: Sequence[tuple[int, Change]]) -> None:
    rows = [
        {"job_id": job_id, "position": position, "seq": seq, "change": change}
        for position, (seq, change) in enumerate(changes)
    ]
    if rows:
        connection.execute(sa.insert(job_files), rows)


def with_idempotency_key(connection: sa.Connection, key: str, fingerprint: str) -> str | None:
    """The id of the job that was made for this key before.

    Raises:
        Conflict: that job was made for another request.
    """
    own = (jobs.c.idempotency_key == key) & (jobs.c.tenant == current_tenant())
    row = read_first(connection, JobRow, sa.select(jobs).where(own))
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise Conflict(
            "this Idempotency-Key was already used for other files or another vector store", param="Idempotency-Key"
        )
    return row.id


def get(connection: sa.Connection, job_id: str) -> JobRow:
    """Raises NotFound."""
    row = read_first(connection, JobRow, sa.select(jobs).where(jobs.c.id == job_id, access.visible_jobs()))
    if row is None:
        raise NotFound(f"there is no job {job_id[:80]!r}", param="job_id")
    return row


def state(connection: sa.Connection, job_id: str) -> JobState:
    current: JobState = connection.execute(sa.select(jobs.c.state).where(jobs.c.id == job_id)).scalar_one()
    return current


def unfinished(connection: sa.Connection, store_id: str | None = None, kind: JobKind | None = None) -> list[JobRow]:
    statement = sa.select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.created_at)
    if store_id is not None:
        statement = statement.where(jobs.c.store_id == store_id)
    if kind is not None:
        statement = statement.where(jobs.c.kind == kind)
    return read_rows(connection, JobRow, statement)


def counts(connection: sa.Connection) -> dict[tuple[JobKind, JobState], int]:
    """The number of jobs by kind and state."""
    statement = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
    return {(kind, state): count for kind, state, count in connection.execute(statement)}


# --- files of a job ----------------------------------------------------------------------------


def claim_pending(connection: sa.Connection, job_id: str) -> list[int]:
    """Claim the job's pending versions that no other running job has claimed. Returns them in the order of its files.

    Two uploads of the same bytes are one version in two jobs.
    """
    others = sa.select(jobs.c.id).where(jobs.c.state == "running", jobs.c.id != job_id)
    is_free = versions.c.claimed_by.is_(None) | versions.c.claimed_by.not_in(others)
    own = sa.select(job_files.c.seq).where(job_files.c.job_id == job_id)
    wanted = versions.c.seq.in_(own) & (versions.c.state == "pending") & is_free
    connection.execute(sa.update(versions).where(wanted).values(claimed_by=job_id))
    return _pending(connection, job_id, versions.c.claimed_by == job_id)


def has_pending(connection: sa.Connection, job_id: str) -> bool:
    return bool(_pending(connection, job_id, sa.true()))


def unshared_pending(connection: sa.Connection, job_id: str) -> list[int]:
    """The job's pending versions that belong to no other unfinished job."""
    others = job_files.alias("others")
    is_shared = (
        sa.exists()
        .where(others.c.seq == versions.c.seq, others.c.job_id != job_id, jobs.c.id == others.c.job_id)
        .where(jobs.c.state.in_(UNFINISHED))
    )
    return _pending(connection, job_id, ~is_shared)


def _pending(connection: sa.Connection, job_id: str, wanted: Condition) -> list[int]:
    joined = sa.select(versions.c.seq).join(job_files, job_files.c.seq == versions.c.seq)
    own = (job_files.c.job_id == job_id) & (versions.c.state == "pending") & wanted
    return list(connection.execute(joined.where(own).order_by(job_files.c.position)).scalars())


def retryable_versions(connection: sa.Connection, job_id: str) -> list[VersionRow]:
    """The job's failed and cancelled versions whose bytes are still stored."""
    joined = sa.select(versions).join(job_files, job_files.c.seq == versions.c.seq)
    wanted = (
        (job_files.c.job_id == job_id) & versions.c.state.in_(("failed", "cancelled")) & versions.c.blob_id.is_not(None)
    )
    return read_rows(connection, VersionRow, joined.where(wanted).order_by(job_files.c.position))


# --- progress ----------------------------------------------------------------------------------


def begin(connection: sa.Connection, job_id: str) -> tuple[bool, bool]:
    """Mark a job as running. Returns whether there is work to do, and whether it had been started before."""
    now = time.time()
    row = get(connection, job_id)
    if row.state not in UNFINISHED:
        return False, True
    first_start = sa.func.coalesce(jobs.c.started_at, now)
    values = {"state": "running", "started_at": first_start, "heartbeat_at": now, "alive_at": now}
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))
    return True, row.started_at is not None


def report_progress(connection: sa.Connection, job_id: str, step: str, chunks_per_s: float | None = None) -> None:
    """Note that a job made progress."""
    now = time.time()
    values: dict[str, object] = {"heartbeat_at": now, "alive_at": now, "step": step[:600], "waiting_for": ""}
    if chunks_per_s is not None:
        values["chunks_per_s"] = chunks_per_s
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))


def report_waiting(connection: sa.Connection, job_id: str, waiting_for: str) -> None:
    """Note what a job is waiting for."""
    values = {"waiting_for": waiting_for[:2000], "alive_at": time.time()}
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))


def report_alive(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Note that a process works on these jobs."""
    connection.execute(sa.update(jobs).where(jobs.c.id.in_(job_ids)).values(alive_at=time.time()))


def clear_alive(connection: sa.Connection, job_id: str) -> None:
    """Note that no process works on the job any more."""
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(alive_at=None))


def clear_all_alive(connection: sa.Connection) -> None:
    """Note that no process works on any job. For the start of a catalog's only process."""
    connection.execute(sa.update(jobs).where(jobs.c.alive_at.is_not(None)).values(alive_at=None))


def end(connection: sa.Connection, job_id: str, state: JobState, error: str | None = None) -> None:
    """End a job, unless it has ended already."""
    is_unfinished = (jobs.c.id == job_id) & jobs.c.state.in_(UNFINISHED)
    values = {"state": state, "finished_at": time.time(), "waiting_for": "", "step": "", "error": error}
    connection.execute(sa.update(jobs).where(is_unfinished).values(values))


def set_details(connection: sa.Connection, job_id: str, details: JobDetails) -> None:
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(details=dict(details)))


# --- maintenance -------------------------------------------------------------------------------


def orphans(connection: sa.Connection, silent_s: float) -> list[str]:
    """Unfinished jobs, queued ones too, that no process has reported to work on for that long."""
    is_silent = jobs.c.alive_at.is_(None) | (jobs.c.alive_at < time.time() - silent_s)
    is_old = jobs.c.created_at < time.time() - silent_s
    wanted = jobs.c.state.in_(UNFINISHED) & is_silent & is_old
    return list(connection.execute(sa.select(jobs.c.id).where(wanted)).scalars())


def stalled(connection: sa.Connection) -> list[JobRow]:
    """Running jobs without progress."""
    is_silent = jobs.c.heartbeat_at < time.time() - STALLED_AFTER_S
    return read_rows(connection, JobRow, sa.select(jobs).where(jobs.c.state == "running", is_silent))


def ended_in_engine(connection: sa.Connection, limit: int = 500) -> list[str]:
    """Ended jobs that the job engine may still have records of."""
    wanted = jobs.c.state.not_in(UNFINISHED) & jobs.c.alive_at.is_(None) & ~jobs.c.forgotten
    return list(connection.execute(sa.select(jobs.c.id).where(wanted).limit(limit)).scalars())


def mark_forgotten(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Note that the job engine has deleted its records of these jobs."""
    connection.execute(sa.update(jobs).where(jobs.c.id.in_(job_ids)).values(forgotten=True))
