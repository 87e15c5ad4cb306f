"""Records of jobs, with their progress, for callers."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog import access, groups, listing
from rag.catalog.documents import documents, jobs
from rag.catalog.tables.rows import UNFINISHED, JobRow, ResultRow, VersionRow, read_row
from rag.catalog.tables.schema import job_files, versions
from rag.catalog.tables.schema import jobs as job_table
from rag.records import Cursor, DocumentRecord, FileCounts, JobRecord, JobState, Page, WorkStatus


@dataclass(frozen=True, slots=True)
class _Progress:
    pages: int
    chunks_done: int
    chunks: int
    fraction: float
    """The fraction of the work that is done, in [0, 1]."""


def record(connection: sa.Connection, job_id: str) -> JobRecord:
    """Raises NotFound."""
    return _to_record(connection, jobs.get(connection, job_id))


def page(connection: sa.Connection, cursor: Cursor, store_id: str | None, active: bool) -> Page[JobRecord]:
    statement = sa.select(job_table).where(access.visible_jobs())
    if store_id is not None:
        statement = statement.where(job_table.c.store_id == store_id)
    if active:
        statement = statement.where(job_table.c.state.in_(UNFINISHED))

    def read(row: ResultRow) -> JobRow:
        return read_row(JobRow, row)

    rows = listing.page(connection, statement, job_table.c.created_at, job_table.c.id, cursor, read)
    return Page([_to_record(connection, job) for job in rows.rows], rows.has_more)


def files_page(
    connection: sa.Connection, job_id: str, cursor: Cursor, status: WorkStatus | None
) -> Page[DocumentRecord]:
    """The job's files in the order in which they were given, or the reverse. Raises NotFound."""
    jobs.get(connection, job_id)
    joined = sa.select(versions, job_files.c.change, job_files.c.position).join(
        job_files, (job_files.c.seq == versions.c.seq) & (job_files.c.job_id == job_id)
    )
    joined = joined.where(groups.readable_versions())
    if status is not None:
        joined = joined.where(versions.c.state.in_(documents.states_of(status)))
    return listing.page(connection, joined, job_files.c.position, versions.c.file_id, cursor, _file_record)


def _file_record(row: ResultRow) -> DocumentRecord:
    version = read_row(VersionRow, row)
    return documents.to_record(
        version,
        created_at=version.created_at,
        searchable=version.state == "visible",
        change=row._mapping["change"],
    )


def _to_record(connection: sa.Connection, job: JobRow) -> JobRecord:
    now = time.time()
    counts, progress = (
        _counts(connection, job),
        _progress(connection, job),
    )  # in this order, so that all done means 100 %
    state: JobState = job.state
    if job.kind == "ingest" and state == "running" and counts.total and not counts.in_progress:
        state = "completed"  # all files are done; only the job's own state has not been updated yet
    is_running = state == "running"
    last_progress_at = job.heartbeat_at or job.started_at or job.created_at
    return JobRecord(
        job_id=job.id,
        kind=job.kind,
        store_id=job.store_id,
        state=state,
        created_at=job.created_at,
        file_counts=counts,
        started_at=job.started_at,
        finished_at=job.finished_at,
        heartbeat_at=job.heartbeat_at,
        step=job.step,
        waiting_for=job.waiting_for,
        stalled=is_running and now - last_progress_at > jobs.STALLED_AFTER_S,
        pages_done=progress.pages,
        chunks_done=progress.chunks_done,
        chunks_total=progress.chunks,
        chunks_per_s=job.chunks_per_s,
        seconds_left=_seconds_left(job, progress.fraction, now) if is_running else None,
        error=job.error,
        details=dict(job.details),
    )


def _counts(connection: sa.Connection, job: JobRow) -> FileCounts:
    if job.kind == "reindex":
        done, total = job.details.get("files_done", 0), job.details.get("files_total", 0)
        return FileCounts(in_progress=max(0, total - done), completed=done)
    joined = sa.select(versions.c.state, sa.func.count()).join(job_files, job_files.c.seq == versions.c.seq)
    rows = connection.execute(joined.where(job_files.c.job_id == job.id).group_by(versions.c.state))
    return documents.file_counts((state, count) for state, count in rows)


def _progress(connection: sa.Connection, job: JobRow) -> _Progress:
    if job.kind == "reindex":
        done, total = job.details.get("chunks_done", 0), job.details.get("chunks_total", 0)
        return _Progress(0, done, total, done / total if total else 0.0)
    has_ended = versions.c.state != "pending"
    fraction = sa.case(
        (has_ended, 1.0),
        (versions.c.chunks > 0, sa.cast(versions.c.chunks_done, sa.Float) / versions.c.chunks),
        else_=0.0,
    )
    size = versions.c.bytes + 1.0
    columns = (
        sa.func.sum(sa.case((versions.c.chunks > 0, versions.c.pages), else_=0)),
        sa.func.sum(versions.c.chunks_done),
        sa.func.sum(versions.c.chunks),
        sa.func.sum(size * fraction) / sa.func.sum(size),
    )
    is_changed = (job_files.c.job_id == job.id) & (job_files.c.change != "unchanged")
    joined = sa.select(*columns).select_from(versions).join(job_files, job_files.c.seq == versions.c.seq)
    pages, done, chunks, whole_fraction = connection.execute(joined.where(is_changed)).one()
    return _Progress(pages or 0, done or 0, chunks or 0, whole_fraction or 0.0)


def _seconds_left(job: JobRow, fraction: float, now: float) -> float | None:
    if job.started_at is None or fraction <= 0.0:
        return None
    return round((now - job.started_at) * (1 - fraction) / fraction, 1)
