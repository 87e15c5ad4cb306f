"""How a durable job of any kind runs: it begins, does its work, and ends; or it is broken off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rag.ports import Steps


class JobCancelled(Exception):
    """Somebody cancelled the job; it ends here."""


class JobInterrupted(Exception):
    """The process stops; the job goes on at its next start."""


class JobLife(Protocol):
    """What every kind of job does at its beginning and at its ends; see `rag.ingest.job_work`."""

    def begin(self, job_id: str) -> bool: ...
    def finish(self, job_id: str) -> None: ...
    def abort(self, job_id: str, error: Exception) -> None: ...
    def leave(self, job_id: str) -> None: ...


def run_job(work: JobLife, job_id: str, steps: Steps, body: Callable[[], None]) -> None:
    """Do a job's work from beginning to end, unless it has ended already.

    Args:
        body: Its steps, but for the last, which is `finish`.

    Raises:
        JobInterrupted: the process stops.
        Unavailable: something does not answer that no step waits for; the job is to be taken up again.
    """
    try:
        if work.begin(job_id):
            body()
            steps.run("finish", work.finish, job_id)
    except JobCancelled:
        return
    except JobInterrupted:
        raise
    except Exception as error:
        work.abort(job_id, error)
    finally:
        work.leave(job_id)
