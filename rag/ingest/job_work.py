"""The beginning and the end of a job, the same for every kind."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

import sqlalchemy as sa

from rag.catalog.database import Database
from rag.catalog.documents import jobs
from rag.errors import InternalError, RagError, Unavailable
from rag.ingest.progress import RunningJobs

_UNEXPECTED = "an unexpected error occurred; see the service's log"
_log = logging.getLogger("rag.ingest")


class JobWork(ABC):
    """Implements `rag.ingest.job.JobLifecycle` on the catalog."""

    def __init__(self, database: Database, running: RunningJobs) -> None:
        self._database = database
        self._running = running

    def begin(self, job_id: str) -> bool:
        """Mark the job as running. Returns whether there is anything to do."""
        with self._database.write() as connection:
            has_work, is_resumed = jobs.begin(connection, job_id)
        if has_work:
            self._running.register(job_id)
            self._on_begin(job_id, is_resumed=is_resumed)
            if is_resumed:
                _log.info("job %s: resuming after interruption", job_id)
        return has_work

    def store_of(self, job_id: str) -> str:
        """The id of the vector store that the job works for."""
        with self._database.read() as connection:
            return jobs.get(connection, job_id).store_id

    def release(self, job_id: str) -> None:
        """Note that this process no longer works on the job."""
        self._running.unregister(job_id)

    def finish(self, job_id: str) -> None:
        self._running.with_retries(job_id, lambda: self._finish(job_id))

    def _finish(self, job_id: str) -> None:
        with self._database.write() as connection:
            jobs.end(connection, job_id, "completed")

    def abort(self, job_id: str, error: Exception) -> None:
        """End the job as failed, unless it can be resumed later."""
        self._running.raise_if_stopping()
        if isinstance(error, Unavailable):
            raise error  # no step retries this; the janitor resubmits the job
        _log.error("job %s failed", job_id, exc_info=error)
        reason = public_error(error)
        with self._database.write() as connection:
            self._roll_back(connection, job_id, reason)
            jobs.end(connection, job_id, "failed", reason.message)

    def _on_begin(self, job_id: str, *, is_resumed: bool) -> None:  # noqa: B027 - optional
        """Called when this process begins to work on the job."""

    @abstractmethod
    def _roll_back(self, connection: sa.Connection, job_id: str, reason: RagError) -> None:
        """Restore the state from before the job, in the transaction that ends it."""


def public_error(error: Exception) -> RagError:
    """The error that callers see. Details of unexpected errors are only logged."""
    return error if isinstance(error, RagError) else InternalError(_UNEXPECTED)
