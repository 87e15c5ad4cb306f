"""The beginning and the ends of a job, the same for every kind."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

import sqlalchemy as sa

from rag.catalog import jobs
from rag.catalog.database import Database
from rag.errors import InternalError, RagError, Unavailable
from rag.ingest.progress import RunningJobs

_UNEXPECTED = "an unexpected error occurred; the service's log has it"
_log = logging.getLogger("rag.ingest")


class JobWork(ABC):
    """See `rag.ingest.job.JobLife`."""

    def __init__(self, database: Database, running: RunningJobs) -> None:
        self._database = database
        self._running = running

    def begin(self, job_id: str) -> bool:
        """Whether there is anything to do."""
        with self._database.write() as connection:
            go_on, was_begun = jobs.begin(connection, job_id)
        if go_on:
            self._running.enter(job_id)
            self._begun(job_id, again=was_begun)
            if was_begun:
                _log.info("job %s goes on where it was broken off", job_id)
        return go_on

    def leave(self, job_id: str) -> None:
        self._running.leave(job_id)

    def finish(self, job_id: str) -> None:
        self._running.with_retries(job_id, lambda: self._finish(job_id))

    def _finish(self, job_id: str) -> None:
        with self._database.write() as connection:
            jobs.end(connection, job_id, "completed")

    def abort(self, job_id: str, error: Exception) -> None:
        """End a job that cannot go on."""
        self._running.raise_if_stopping()
        if isinstance(error, Unavailable):
            raise error  # it went away where nothing waits for it; the janitor has the job taken up again
        _log.error("job %s failed", job_id, exc_info=error)
        reason = as_told(error)
        with self._database.write() as connection:
            self._give_up(connection, job_id, reason)
            jobs.end(connection, job_id, "failed", reason.message)

    def _begun(self, job_id: str, *, again: bool) -> None:  # noqa: B027 - not every kind wants to know
        """The job is at work here; `again`: it was begun before, and broken off."""

    @abstractmethod
    def _give_up(self, connection: sa.Connection, job_id: str, reason: RagError) -> None:
        """Leave everything as it was before the job, in the transaction that ends it."""


def as_told(error: Exception) -> RagError:
    """What people may read of an error."""
    return error if isinstance(error, RagError) else InternalError(_UNEXPECTED)
