"""The course of a durable job of any kind: it begins, runs its steps, and finishes or is aborted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rag.auth.caller import working_for
from rag.ports import Steps


class JobCancelled(Exception):
    """The job was cancelled and must end now."""


class JobInterrupted(Exception):
    """The process is stopping. The job resumes when it starts again."""


class JobLifecycle(Protocol):
    """What every kind of job does at its beginning and at its end; see `rag.ingest.job_work`."""

    def begin(self, job_id: str) -> bool: ...
    def store_of(self, job_id: str) -> str: ...
    def finish(self, job_id: str) -> None: ...
    def abort(self, job_id: str, error: Exception) -> None: ...
    def release(self, job_id: str) -> None: ...


def run_job(work: JobLifecycle, job_id: str, steps: Steps, body: Callable[[], None]) -> None:
    """Run a job from beginning to end, unless it has ended already.

    Args:
        body: Runs the job's steps, except the last one, which is `finish`.

    Raises:
        JobInterrupted: the process is stopping.
        Unavailable: a dependency failed outside a step that retries; the job is to be resumed later.
    """
    try:
        if work.begin(job_id):
            with working_for(work.store_of(job_id)):
                body()
                steps.run("finish", work.finish, job_id)
    except JobCancelled:
        return
    except JobInterrupted:
        raise
    except Exception as error:
        work.abort(job_id, error)
    finally:
        work.release(job_id)
