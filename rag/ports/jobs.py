"""The engine of durable jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Steps(Protocol):
    """The steps of one job.

    The result of each finished step is stored. When a job resumes after a crash, `run` returns the stored result of a
    finished step without running it again. A flow must therefore be deterministic: the same results lead to the same
    next steps.
    """

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        """Run one step. Arguments and result must be serializable as JSON. Raises what `work` raises."""
        ...


Flow = Callable[[str, Steps], None]
"""All the work of a job, given the job's id."""


class JobEngine(Protocol):
    """Runs jobs durably: a job that was submitted will be finished, even if the process crashes."""

    def start(self, flows: Mapping[str, Flow]) -> None:
        """Start the engine and resume interrupted jobs."""
        ...

    def submit(self, flow: str, job_id: str, store: str = "") -> None:
        """Queue a job. Does nothing if it was submitted before.

        Args:
            store: The vector store that it works for. A store with many jobs does not hold up those of others.
        """
        ...

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete the stored results of jobs that have ended."""
        ...

    def stop(self) -> None:
        """Stop the engine; running jobs resume at the next start. Tell their flows to stop first."""
        ...
