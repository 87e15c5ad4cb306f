"""Background maintenance: removes what no query can see, deletes expired files, resubmits jobs of crashed processes."""

from __future__ import annotations

import logging
import threading
import time

from rag.catalog.answers import kept
from rag.catalog.documents import files as file_rows
from rag.catalog.documents import garbage, stores, uploads
from rag.catalog.documents import jobs as job_rows
from rag.catalog.documents.visibility import version_id
from rag.catalog.tables.batch_tables import batches
from rag.catalog.tables.rows import VersionRow
from rag.catalog.tables.schema import chat_completions, conversations, responses
from rag.catalog.tenants import audit
from rag.errors import RagError, Unavailable, VectorStoreNotFound
from rag.library.documents import files, jobs
from rag.library.resources import LibraryResources
from rag.records import DAY_S
from rag.retrieve.lease import ReadLease

_MIN_INTERVAL_S = 1.0
_CLEAN_INTERVAL_S = 5.0
_MAINTENANCE_INTERVAL_S = 30.0
_PAUSE_AFTER_ERROR_S = 5.0
_ORPHANED_AFTER_S = 120.0
_ERASED_AT_ONCE = 500
_log = logging.getLogger("rag.janitor")


class Janitor:
    """A background thread. Everything it does can be repeated, and several replicas can do it at the same time.

    Args:
        leases: Of the running queries. Rows that they may still see are kept.
        wanted: An event that is set when there is something to clean up.
        grace_s: How long the rows of a replaced version are kept for queries in other processes.
        audit_days: How long entries of the audit log are kept.
    """

    def __init__(
        self,
        resources: LibraryResources,
        leases: ReadLease,
        wanted: threading.Event,
        *,
        grace_s: float = 0.0,
        audit_days: int,
    ) -> None:
        self._resources = resources
        self._database = resources.database
        self._store = resources.store
        self._leases = leases
        self._wanted = wanted
        self._grace_s = grace_s
        self._audit_s = audit_days * DAY_S
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        last_maintenance = 0.0
        while not self._stopping.is_set():
            try:
                self.clean()
                if time.monotonic() - last_maintenance > _MAINTENANCE_INTERVAL_S:
                    self.run_maintenance()
                    last_maintenance = time.monotonic()
            except Unavailable as error:
                _log.warning("cleanup postponed: %s", error.message)
                self._stopping.wait(_PAUSE_AFTER_ERROR_S)
            except Exception:
                _log.exception("cleanup failed and will be retried")
                self._stopping.wait(_PAUSE_AFTER_ERROR_S)
            self._wanted.wait(_CLEAN_INTERVAL_S)
            self._wanted.clear()
            self._stopping.wait(_MIN_INTERVAL_S)

    def clean(self) -> None:
        """Remove the rows and bytes that no query can see any more."""
        while True:
            with self._database.read() as connection:
                ended = garbage.reclaimable(connection, self._grace_s)
            if not ended:
                break
            self._leases.wait_for_those_before()
            self._reclaim(ended)
        self._drop_indexes()
        with self._database.write() as connection:
            garbage.release_blobs(connection)
            garbage.erase_deleted(connection)
            unused = file_rows.delete_unused_blobs(connection)
        self._resources.blobs.remove(unused)

    def _reclaim(self, ended: list[VersionRow]) -> None:
        with self._database.read() as connection:
            indexes = stores.all_indexes(connection)
        for store_id in {version.store_id for version in ended}:
            ids = [version_id(version.seq) for version in ended if version.store_id == store_id]
            for index in indexes:
                if index.store_id == store_id and index.state != "dropping":
                    try:
                        self._store.delete(index.index_id, ids)
                    except VectorStoreNotFound:
                        continue  # not created yet, or just dropped
        with self._database.write() as connection:
            garbage.mark_reclaimed(connection, [version.seq for version in ended])

    def _drop_indexes(self) -> None:
        with self._database.read() as connection:
            dropping = stores.all_indexes(connection, "dropping")
        if dropping:
            self._leases.wait_for_those_before()
        for index in dropping:
            self._store.drop(index.index_id)
            with self._database.write() as connection:
                garbage.forget_index(connection, index.index_id)
                stores.delete_index(connection, index.index_id)

    def run_maintenance(self) -> None:
        """Delete expired files, log stalled jobs, resubmit orphaned ones, remove ended ones from the job engine.

        Also deletes old entries of the audit log, and what was kept of questions and has expired.
        """
        with self._database.read() as connection:
            expired = file_rows.expired(connection)
            orphans = job_rows.orphans(connection, _ORPHANED_AFTER_S)
            ended = job_rows.ended_in_engine(connection)
            stalled = job_rows.stalled(connection)
        for job in stalled:
            silent_s = time.time() - (job.heartbeat_at or job.created_at)
            reason = f"waiting for: {job.waiting_for}" if job.waiting_for else f"last step: {job.step}"
            _log.warning("job %s has made no progress for %.0f s; %s", job.id, silent_s, reason)
        for file_id in expired:
            try:
                files.delete(self._resources, file_id)
            except RagError:
                _log.exception("the expired file %s could not be deleted", file_id)
        for job_id in orphans:
            _log.info("job %s: no process works on it; submitting it again", job_id)
            jobs.resubmit(self._resources, job_id)
        if ended:
            self._resources.engine.forget(ended)
            with self._database.write() as connection:
                job_rows.mark_forgotten(connection, ended)
        self._shorten_audit_log()
        self._erase_kept()
        self._forget_uploads()
        self._database.empty_log()

    def _shorten_audit_log(self) -> None:
        oldest = time.time() - self._audit_s
        with self._database.read() as connection:
            is_due = audit.any_before(connection, oldest)
        if is_due:
            with self._database.write() as connection:
                audit.delete_before(connection, oldest)

    def _forget_uploads(self) -> None:
        """Release the parts of expired uploads, so that `clean` removes their bytes."""
        with self._database.read() as connection:
            is_due = uploads.is_any_due(connection, DAY_S)
        if is_due:
            with self._database.write() as connection:
                uploads.forget_expired(connection, DAY_S)

    def _erase_kept(self) -> None:
        """Erase what has expired of them, some rows at a time to keep transactions short."""
        for table in (responses, chat_completions, conversations, batches):
            with self._database.read() as connection:
                is_due = kept.any_expired(connection, table)
            while is_due:
                with self._database.write() as connection:
                    is_due = kept.delete_expired(connection, table, _ERASED_AT_ONCE) == _ERASED_AT_ONCE
