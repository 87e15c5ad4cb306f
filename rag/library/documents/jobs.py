"""Operations on jobs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa

from rag.catalog import versions
from rag.catalog.documents import files, garbage, job_records, jobs, stores
from rag.catalog.tenants import quotas
from rag.catalog.versions import NewVersion
from rag.errors import Conflict, FileNotFound, NotFound
from rag.ingest.reindex import drop_new_index, has_switched
from rag.library.resources import LibraryResources
from rag.records import ENDED, Cursor, DocumentRecord, JobRecord, Page, WorkStatus
from rag.types import Change

_ABANDONED_AFTER_S = 600.0
"""With several replicas, another one may still work on a younger change of attributes."""
_FIRST_POLL_S, _LONGEST_POLL_S = 0.02, 0.25


def get(resources: LibraryResources, job_id: str) -> JobRecord:
    with resources.database.read() as connection:
        return job_records.record(connection, job_id)


def page(resources: LibraryResources, cursor: Cursor, store: str | None, active: bool) -> Page[JobRecord]:
    with resources.database.read() as connection:
        store_id = None if store is None else stores.resolve(connection, store).id
        return job_records.page(connection, cursor, store_id, active)


def files_page(
    resources: LibraryResources, job_id: str, cursor: Cursor, status: WorkStatus | None
) -> Page[DocumentRecord]:
    with resources.database.read() as connection:
        return job_records.files_page(connection, job_id, cursor, status)


def cancel(resources: LibraryResources, job_id: str) -> JobRecord:
    with resources.database.write() as connection:
        job = jobs.get(connection, job_id)
        if job.state not in ENDED:
            stores.lock(connection, job.store_id)
            is_reindex = job.kind == "reindex"
            is_done = has_switched(connection, job) if is_reindex else not jobs.has_pending(connection, job_id)
            versions.cancel(connection, jobs.unshared_pending(connection, job_id))
            if is_reindex:
                drop_new_index(connection, job_id)
            jobs.end(connection, job_id, "completed" if is_done else "cancelled")
    resources.request_cleanup()
    return get(resources, job_id)


def retry(resources: LibraryResources, job_id: str, file_ids: Sequence[str] = ()) -> JobRecord:
    with resources.database.write() as connection:
        job = jobs.get(connection, job_id)
        stores.lock(connection, job.store_id)
        retryable = [
            version
            for version in jobs.retryable_versions(connection, job_id)
            if not file_ids or version.file_id in file_ids
        ]
        missing = set(file_ids) - {version.file_id for version in retryable}
        if missing:
            raise FileNotFound(f"the job has no failed or cancelled file {min(missing)[:80]!r}", param="file_ids")
        if not retryable:
            raise Conflict("the job has no failed or cancelled files that can be retried", param="job_id")
        with quotas.enforced(connection, "max_unfinished_jobs"):
            changes = [versions.accept(connection, NewVersion.of_version(version)) for version in retryable]
            new_id = insert_ingest(connection, job.store_id, changes)
    return submit(resources, new_id)


def wait(resources: LibraryResources, job_id: str, timeout_s: float) -> JobRecord:
    deadline = time.monotonic() + timeout_s
    pause_s = _FIRST_POLL_S
    while (record := get(resources, job_id)).state not in ENDED and time.monotonic() < deadline:
        time.sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
        pause_s = min(_LONGEST_POLL_S, pause_s * 1.5)
    return record


def resume(resources: LibraryResources) -> None:
    """At start: resume unfinished jobs, cancel changes that no job continues, remove files that crashes left."""
    is_only_process = resources.database.is_sqlite
    with resources.database.write() as connection:
        if is_only_process:
            jobs.clear_all_alive(connection)
        abandoned = garbage.abandoned_copies(connection, 0.0 if is_only_process else _ABANDONED_AFTER_S)
        versions.cancel(connection, abandoned)
        unfinished = jobs.unfinished(connection)
        known = files.known_blobs(connection)
    resources.blobs.sweep(known)
    if not is_only_process:
        return  # other replicas may be working on these jobs; the janitor resubmits those without a process
    for job in unfinished:
        resources.engine.submit(job.kind, job.id, job.store_id)


def resubmit(resources: LibraryResources, job_id: str) -> None:
    """Give the engine a job that no process works on."""
    with suppress(NotFound):
        submit(resources, job_id)


def submit(resources: LibraryResources, job_id: str) -> JobRecord:
    """Give the job to the engine, unless it has ended."""
    record = get(resources, job_id)
    if record.state not in ENDED:
        resources.engine.submit(record.kind, job_id, record.store_id)
    return record


def insert_ingest(
    connection: sa.Connection,
    store_id: str,
    changes: Sequence[tuple[int, Change]],
    idempotency_key: str | None = None,
    request: object = None,
) -> str:
    """Insert a job for accepted changes. If there is nothing to do, it is completed at once. Returns its id.

    Args:
        request: What the client requested, as JSON-like values; see `with_idempotency_key`.
    """
    fingerprint = _fingerprint(request) if idempotency_key else ""
    job_id = jobs.insert(connection, "ingest", store_id, idempotency_key=idempotency_key, fingerprint=fingerprint)
    jobs.add_files(connection, job_id, changes)
    if not jobs.has_pending(connection, job_id):
        jobs.end(connection, job_id, "completed")
    return job_id


def with_idempotency_key(connection: sa.Connection, key: str | None, request: object) -> str | None:
    """The id of the job that was made for this key and request before. Raises Conflict for another request."""
    return None if key is None else jobs.with_idempotency_key(connection, key, _fingerprint(request))


def _fingerprint(request: object) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
