"""Jobs: accepted work, and how far it is."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rag.catalog import documents, listing
from rag.catalog.schema import job_files, jobs, versions
from rag.errors import Conflict, NotFound
from rag.records import Cursor, DocumentRecord, FileCounts, JobKind, JobRecord, JobState, Page, WorkStatus
from rag.types import Change

STALLED_AFTER_S = 60.0
"""Without getting on; a slice of chunks takes a second or two."""
_UNFINISHED = ("queued", "running")


def insert(
    connection: sa.Connection,
    kind: JobKind,
    store_id: str,
    *,
    idempotency_key: str | None = None,
    fingerprint: str = "",
    details: Mapping[str, Any] | None = None,
) -> str:
    """Its id."""
    prefix = {"ingest": "vsfb", "reindex": "reindex"}[kind]
    job_id = f"{prefix}_{uuid.uuid4().hex[:24]}"
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


def with_key(connection: sa.Connection, key: str, fingerprint: str) -> str | None:
    """The job that this key made before.

    Raises:
        Conflict: it was asked for something else.
    """
    row = connection.execute(sa.select(jobs).where(jobs.c.idempotency_key == key)).first()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise Conflict("this Idempotency-Key was used for other files or another vector store", param="Idempotency-Key")
    return str(row.id)


def row(connection: sa.Connection, job_id: str) -> Any:
    """Raises NotFound."""
    found = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
    if found is None:
        raise NotFound(f"there is no job {job_id[:80]!r}", param="job_id")
    return found


def state(connection: sa.Connection, job_id: str) -> JobState:
    found: JobState = connection.execute(sa.select(jobs.c.state).where(jobs.c.id == job_id)).scalar_one()
    return found


def unfinished(connection: sa.Connection, store_id: str | None = None, kind: JobKind | None = None) -> list[Any]:
    statement = sa.select(jobs).where(jobs.c.state.in_(_UNFINISHED)).order_by(jobs.c.created_at)
    if store_id is not None:
        statement = statement.where(jobs.c.store_id == store_id)
    if kind is not None:
        statement = statement.where(jobs.c.kind == kind)
    return list(connection.execute(statement))


def claim_pending(connection: sa.Connection, job_id: str) -> list[int]:
    """Versions of the job that are still to be made, in the order of its files, and that no other job makes.

    Two uploads of the same bytes are one version in two jobs.
    """
    busy = sa.select(jobs.c.id).where(jobs.c.state == "running", jobs.c.id != job_id)
    free = versions.c.claimed_by.is_(None) | versions.c.claimed_by.not_in(busy)
    mine = sa.select(job_files.c.seq).where(job_files.c.job_id == job_id)
    wanted = versions.c.seq.in_(mine) & (versions.c.state == "pending") & free
    connection.execute(sa.update(versions).where(wanted).values(claimed_by=job_id))
    return _pending(connection, job_id, versions.c.claimed_by == job_id)


def has_pending(connection: sa.Connection, job_id: str) -> bool:
    return bool(_pending(connection, job_id, sa.true()))


def _pending(connection: sa.Connection, job_id: str, wanted: Any) -> list[int]:
    joined = sa.select(versions.c.seq).join(job_files, job_files.c.seq == versions.c.seq)
    own = (job_files.c.job_id == job_id) & (versions.c.state == "pending") & wanted
    return list(connection.execute(joined.where(own).order_by(job_files.c.position)).scalars())


def unshared_pending(connection: sa.Connection, job_id: str) -> list[int]:
    """Versions on their way that only this job wants."""
    others = job_files.alias("others")
    shared = (
        sa.exists()
        .where(others.c.seq == versions.c.seq, others.c.job_id != job_id, jobs.c.id == others.c.job_id)
        .where(jobs.c.state.in_(_UNFINISHED))
    )
    return _pending(connection, job_id, ~shared)


def broken_versions(connection: sa.Connection, job_id: str) -> list[Any]:
    """The job's failed and cancelled versions whose bytes are still there."""
    joined = sa.select(versions).join(job_files, job_files.c.seq == versions.c.seq)
    wanted = (
        (job_files.c.job_id == job_id) & versions.c.state.in_(("failed", "cancelled")) & versions.c.blob_id.is_not(None)
    )
    return list(connection.execute(joined.where(wanted).order_by(job_files.c.position)))


# --- on the way --------------------------------------------------------------------------------


def begin(connection: sa.Connection, job_id: str) -> tuple[bool, bool]:
    """Whether there is work to do, and whether it was begun before (and then broken off)."""
    now = time.time()
    found = row(connection, job_id)
    if found.state not in _UNFINISHED:
        return False, True
    first = sa.func.coalesce(jobs.c.started_at, now)
    values = {"state": "running", "started_at": first, "heartbeat_at": now, "alive_at": now}
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))
    return True, found.started_at is not None


def report_progress(connection: sa.Connection, job_id: str, step: str, chunks_per_s: float | None = None) -> None:
    """It got on."""
    now = time.time()
    values: dict[str, Any] = {"heartbeat_at": now, "alive_at": now, "step": step[:600], "waiting_for": ""}
    if chunks_per_s is not None:
        values["chunks_per_s"] = chunks_per_s
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))


def waits(connection: sa.Connection, job_id: str, waiting_for: str) -> None:
    """It does not get on, and why."""
    values = {"waiting_for": waiting_for[:2000], "alive_at": time.time()}
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))


def are_alive(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    connection.execute(sa.update(jobs).where(jobs.c.id.in_(job_ids)).values(alive_at=time.time()))


def end(connection: sa.Connection, job_id: str, state: JobState, error: str | None = None) -> None:
    """Unless it has ended already."""
    wanted = (jobs.c.id == job_id) & jobs.c.state.in_(_UNFINISHED)
    values = {"state": state, "finished_at": time.time(), "waiting_for": "", "step": "", "error": error}
    connection.execute(sa.update(jobs).where(wanted).values(values))


def is_left(connection: sa.Connection, job_id: str) -> None:
    """No process works on it any more."""
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(alive_at=None))


def set_details(connection: sa.Connection, job_id: str, details: Mapping[str, Any]) -> None:
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(details=dict(details)))


def orphans(connection: sa.Connection, silent_s: float) -> list[str]:
    """Unfinished jobs that no process has been heard to work on for that long, also those that wait their turn."""
    silent = jobs.c.alive_at.is_(None) | (jobs.c.alive_at < time.time() - silent_s)
    old = jobs.c.created_at < time.time() - silent_s
    wanted = jobs.c.state.in_(_UNFINISHED) & silent & old
    return list(connection.execute(sa.select(jobs.c.id).where(wanted)).scalars())


def to_forget(connection: sa.Connection, limit: int = 500) -> list[str]:
    """Ended jobs of which the engine may still keep something."""
    ended = jobs.c.state.not_in(_UNFINISHED) & jobs.c.alive_at.is_(None) & ~jobs.c.forgotten
    return list(connection.execute(sa.select(jobs.c.id).where(ended).limit(limit)).scalars())


def forgotten(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    connection.execute(sa.update(jobs).where(jobs.c.id.in_(job_ids)).values(forgotten=True))


def stalled(connection: sa.Connection) -> list[Any]:
    """Running jobs that do not get on."""
    silent = jobs.c.heartbeat_at < time.time() - STALLED_AFTER_S
    return list(connection.execute(sa.select(jobs).where(jobs.c.state == "running", silent)))


def forget_the_living(connection: sa.Connection) -> None:
    """At the start of the only process: what an earlier one said of its life is void."""
    connection.execute(sa.update(jobs).where(jobs.c.alive_at.is_not(None)).values(alive_at=None))


# --- records -----------------------------------------------------------------------------------


def record(connection: sa.Connection, job_id: str) -> JobRecord:
    return _to_record(connection, row(connection, job_id))


def page(connection: sa.Connection, cursor: Cursor, store_id: str | None, active: bool) -> Page[JobRecord]:
    statement = sa.select(jobs)
    if store_id is not None:
        statement = statement.where(jobs.c.store_id == store_id)
    if active:
        statement = statement.where(jobs.c.state.in_(_UNFINISHED))
    rows = listing.page(connection, statement, jobs.c.created_at, jobs.c.id, cursor)
    return Page([_to_record(connection, found) for found in rows.rows], rows.has_more)


def files_page(
    connection: sa.Connection, job_id: str, cursor: Cursor, status: WorkStatus | None
) -> Page[DocumentRecord]:
    """The job's files in the order in which they were given, or the reverse."""
    row(connection, job_id)
    joined = sa.select(versions, job_files.c.change, job_files.c.position).join(
        job_files, (job_files.c.seq == versions.c.seq) & (job_files.c.job_id == job_id)
    )
    if status is not None:
        states = [state for state, name in documents.STATUS.items() if name == status]
        joined = joined.where(versions.c.state.in_(states))
    ascending = Cursor(cursor.limit, "asc" if cursor.order == "asc" else "desc", cursor.after, cursor.before)
    rows = listing.page(connection, joined, job_files.c.position, versions.c.file_id, ascending)
    return Page([documents.to_record(found, found.change) for found in rows.rows], rows.has_more)


def counts(connection: sa.Connection, job_id: str) -> FileCounts:
    joined = sa.select(versions.c.state, sa.func.count()).join(job_files, job_files.c.seq == versions.c.seq)
    return documents.file_counts(
        connection.execute(joined.where(job_files.c.job_id == job_id).group_by(versions.c.state)).all()
    )


def _to_record(connection: sa.Connection, found: Any) -> JobRecord:
    now = time.time()
    progress = _progress(connection, found)
    file_counts = counts(connection, found.id) if found.kind == "ingest" else _reindex_counts(found)
    state: JobState = found.state
    if found.kind == "ingest" and state == "running" and file_counts.total and not file_counts.in_progress:
        state = "completed"  # only its books are still to be closed
    is_running = state == "running"
    since = found.heartbeat_at or found.started_at or found.created_at
    return JobRecord(
        job_id=found.id,
        kind=found.kind,
        store_id=found.store_id,
        state=state,
        created_at=found.created_at,
        file_counts=file_counts,
        started_at=found.started_at,
        finished_at=found.finished_at,
        heartbeat_at=found.heartbeat_at,
        step=found.step,
        waiting_for=found.waiting_for,
        stalled=is_running and now - since > STALLED_AFTER_S,
        pages_done=progress["pages"],
        chunks_done=progress["chunks_done"],
        chunks_total=progress["chunks"],
        chunks_per_s=found.chunks_per_s,
        seconds_left=_seconds_left(found, progress["fraction"], now) if is_running else None,
        error=found.error,
        details={key: value for key, value in found.details.items() if not key.startswith("_")},
    )


def _progress(connection: sa.Connection, found: Any) -> dict[str, Any]:
    if found.kind == "reindex":
        done, total = int(found.details.get("chunks_done", 0)), int(found.details.get("chunks_total", 0))
        return {"pages": 0, "chunks_done": done, "chunks": total, "fraction": done / total if total else 0.0}
    finished = versions.c.state != "pending"
    part = sa.case(
        (finished, 1.0),
        (versions.c.chunks > 0, sa.cast(versions.c.chunks_done, sa.Float) / versions.c.chunks),
        else_=0.0,
    )
    size = versions.c.bytes + 1.0
    columns = (
        sa.func.sum(sa.case((versions.c.chunks > 0, versions.c.pages), else_=0)),
        sa.func.sum(versions.c.chunks_done),
        sa.func.sum(versions.c.chunks),
        sa.func.sum(size * part) / sa.func.sum(size),
    )
    work = (job_files.c.job_id == found.id) & (job_files.c.change != "unchanged")
    joined = sa.select(*columns).select_from(versions).join(job_files, job_files.c.seq == versions.c.seq)
    pages, done, chunks, fraction = connection.execute(joined.where(work)).one()
    return {"pages": pages or 0, "chunks_done": done or 0, "chunks": chunks or 0, "fraction": fraction or 0.0}


def _reindex_counts(found: Any) -> FileCounts:
    done, total = int(found.details.get("files_done", 0)), int(found.details.get("files_total", 0))
    return FileCounts(in_progress=max(0, total - done), completed=done)


def _seconds_left(found: Any, fraction: float, now: float) -> float | None:
    if found.started_at is None or fraction <= 0.0:
        return None
    return float(round((now - found.started_at) * (1 - fraction) / fraction, 1))
