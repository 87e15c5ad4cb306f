"""What must happen now and then: rows of versions that nobody sees any more go, files expire, broken jobs go on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from rag.blobs import BlobFolder
from rag.catalog import files, garbage, jobs, stores
from rag.catalog.database import Database
from rag.catalog.visibility import version_id
from rag.errors import RagError, Unavailable, VectorStoreNotFound
from rag.ports import JobEngine, VectorStore
from rag.retrieve.lease import ReadLease

_PAUSE_S = 1.0
_SLOW_S = 30.0
_ORPHANED_AFTER_S = 120.0
_log = logging.getLogger("rag.janitor")


class Janitor:
    """One thread. Everything that it does is safe to do twice, and by several replicas at once.

    Args:
        leases: The questions in work: rows that they may still see are left.
        resubmit: Has a job done that no process works on.
        grace_s: How long a replaced version's rows stay for questions in other processes.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        store: VectorStore,
        engine: JobEngine,
        leases: ReadLease,
        *,
        delete_file: Callable[[str], None],
        resubmit: Callable[[str], None],
        grace_s: float = 0.0,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._store = store
        self._engine = engine
        self._leases = leases
        self._delete_file = delete_file
        self._resubmit = resubmit
        self._grace_s = grace_s
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def soon(self) -> None:
        """There is something to do."""
        self._wanted.set()

    def _run(self) -> None:
        last_slow = 0.0
        while not self._stopping.is_set():
            try:
                self.clean()
                if time.monotonic() - last_slow > _SLOW_S:
                    self.look_after()
                    last_slow = time.monotonic()
            except Unavailable as error:
                _log.warning("cleaning up waits: %s", error.message)
                self._stopping.wait(_PAUSE_S * 5)
            except Exception:
                _log.exception("cleaning up failed; it is tried again")
                self._stopping.wait(_PAUSE_S * 5)
            self._wanted.wait(_SLOW_S / 6)
            self._wanted.clear()
            self._stopping.wait(_PAUSE_S)

    def clean(self) -> None:
        """Remove what no question can see any more."""
        while True:
            with self._database.read() as connection:
                gone = garbage.reclaimable(connection, self._grace_s)
            if not gone:
                break
            self._leases.wait_for_those_before()
            self._reclaim({version.seq: version.store_id for version in gone})
        self._drop_indexes()
        with self._database.write() as connection:
            garbage.let_go(connection)
            unused = files.forget_unused_blobs(connection)
        self._blobs.remove(unused)

    def _reclaim(self, store_of: dict[int, str]) -> None:
        with self._database.read() as connection:
            indexes = stores.all_indexes(connection)
        for store_id in set(store_of.values()):
            ids = [version_id(seq) for seq, owner in store_of.items() if owner == store_id]
            for index in indexes:
                if index.store_id == store_id and index.state != "dropping":
                    try:
                        self._store.delete(index.index_id, ids)
                    except VectorStoreNotFound:
                        continue  # not made yet, or dropped just now
        with self._database.write() as connection:
            garbage.reclaimed(connection, list(store_of))

    def _drop_indexes(self) -> None:
        with self._database.read() as connection:
            dropping = stores.all_indexes(connection, "dropping")
        if dropping:
            self._leases.wait_for_those_before()
        for index in dropping:
            self._store.drop(index.index_id)
            with self._database.write() as connection:
                garbage.index_is_gone(connection, index.index_id)
                stores.delete_index(connection, index.index_id)

    def look_after(self) -> None:
        """Files that expired, jobs that do not get on or whose process died, what the engine keeps of ended ones."""
        with self._database.read() as connection:
            expired = files.expired(connection)
            orphans = jobs.orphans(connection, _ORPHANED_AFTER_S)
            ended = jobs.to_forget(connection)
            stalled = jobs.stalled(connection)
        for job in stalled:
            silent_s = time.time() - job.heartbeat_at
            why = f"it waits: {job.waiting_for}" if job.waiting_for else f"its last step was: {job.step}"
            _log.warning("job %s has not got on for %.0f s; %s", job.id, silent_s, why)
        for file_id in expired:
            try:
                self._delete_file(file_id)
            except RagError:
                _log.exception("the expired file %s could not be deleted", file_id)
        for job_id in orphans:
            _log.info("job %s is worked on by nobody; it is handed to the engine again", job_id)
            self._resubmit(job_id)
        if ended:
            self._engine.forget(ended)
            with self._database.write() as connection:
                jobs.forgotten(connection, ended)
