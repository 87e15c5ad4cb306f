"""Jobs; see `rag.library.service.Library`."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from rag.catalog import files, garbage, jobs, stores, versions
from rag.catalog.versions import NewVersion
from rag.errors import Conflict, FileNotFound, NotFound
from rag.ingest.reindex import give_up, has_switched
from rag.library.shelf import Shelf
from rag.records import (
    ENDED,
    Cursor,
    DocumentRecord,
    JobRecord,
    Page,
    WorkStatus,
)
from rag.types import Change

_ABANDONED_AFTER_S = 600.0
"""Another replica may be at work on a younger one."""
_LOOK_EVERY_S = (0.02, 0.25)


class JobShelf(Shelf):
    def job(self, job_id: str) -> JobRecord:
        with self._database.read() as connection:
            return jobs.record(connection, job_id)

    def jobs(self, cursor: Cursor, *, store: str | None = None, active: bool = False) -> Page[JobRecord]:
        with self._database.read() as connection:
            store_id = None if store is None else stores.resolve(connection, store).id
            return jobs.page(connection, cursor, store_id, active)

    def job_files(self, job_id: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        with self._database.read() as connection:
            return jobs.files_page(connection, job_id, cursor, status)

    def cancel_job(self, job_id: str) -> JobRecord:
        with self._database.write() as connection:
            row = jobs.row(connection, job_id)
            if row.state not in ENDED:
                stores.lock(connection, row.store_id)
                is_move = row.kind == "reindex"
                is_done = has_switched(connection, row) if is_move else not jobs.has_pending(connection, job_id)
                versions.cancel(connection, jobs.unshared_pending(connection, job_id))
                if is_move:
                    give_up(connection, job_id)
                jobs.end(connection, job_id, "completed" if is_done else "cancelled")
        self.on_garbage()
        return self.job(job_id)

    def retry_job(self, job_id: str, file_ids: Sequence[str] = ()) -> JobRecord:
        with self._database.write() as connection:
            row = jobs.row(connection, job_id)
            stores.lock(connection, row.store_id)
            broken = [
                version
                for version in jobs.broken_versions(connection, job_id)
                if not file_ids or version.file_id in file_ids
            ]
            missing = set(file_ids) - {version.file_id for version in broken}
            if missing:
                raise FileNotFound(f"the job has no failed or cancelled file {min(missing)[:80]!r}", param="file_ids")
            if not broken:
                raise Conflict("the job has no failed or cancelled files that could be tried again", param="job_id")
            changes = [versions.accept(connection, NewVersion.of(version)) for version in broken]
            new_id = self._insert_job(connection, row.store_id, changes, None, None)
        return self._submitted(new_id)

    def wait(self, job_id: str, timeout_s: float) -> JobRecord:
        until = time.monotonic() + timeout_s
        pause_s, longest_s = _LOOK_EVERY_S
        while (record := self.job(job_id)).state not in ENDED and time.monotonic() < until:
            time.sleep(min(pause_s, max(0.0, until - time.monotonic())))
            pause_s = min(longest_s, pause_s * 1.5)
        return record

    def resubmit(self, job_id: str) -> None:
        """Have a job done that no process works on."""
        with suppress(NotFound):
            self._submitted(job_id)

    def resume(self) -> None:
        """At the start: take up what was accepted and not finished, and give up what cannot be finished."""
        with self._database.write() as connection:
            if self._database.is_sqlite:
                jobs.forget_the_living(connection)
            versions.cancel(
                connection,
                garbage.abandoned_copies(connection, 0.0 if self._database.is_sqlite else _ABANDONED_AFTER_S),
            )
            unfinished = [(row.kind, row.id) for row in jobs.unfinished(connection)]
            known = files.known_blobs(connection)
        self._blobs.sweep(known)
        if not self._database.is_sqlite:
            return  # other replicas may be at work on them; the janitor takes up those that nobody works on
        for kind, job_id in unfinished:
            self._parts.engine.submit(kind, job_id)

    def _insert_job(
        self,
        connection: sa.Connection,
        store_id: str,
        changes: Sequence[tuple[int, Change]],
        key: str | None,
        said: Any,
    ) -> str:
        job_id = jobs.insert(
            connection, "ingest", store_id, idempotency_key=key, fingerprint=_fingerprint(said) if key else ""
        )
        jobs.add_files(connection, job_id, changes)
        if not jobs.has_pending(connection, job_id):
            jobs.end(connection, job_id, "completed")  # nothing would change
        return job_id

    def _submitted(self, job_id: str) -> JobRecord:
        record = self.job(job_id)
        if record.state not in ENDED:
            self._parts.engine.submit(record.kind, job_id)
        return record


def known_job(connection: sa.Connection, key: str | None, said: Any) -> str | None:
    return None if key is None else jobs.with_key(connection, key, _fingerprint(said))


def _fingerprint(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
