"""Polls jobs of the service until they have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

import httpx

from rag.cli.jobs.progress import progress_bar, total_progress
from rag.cli.output import print_message
from rag.cli.service_client import api_path, cli_context, list_rows, request_json
from rag.records import ENDED
from rag.types import JsonObject
from rag.upload import ServiceError

MAX_SINGLE_POLLS = 3
"""Up to this many jobs are polled one by one; more are read from the list of active jobs."""
FIRST_POLL_S = 0.1
POLL_S = 1.0
ATTEMPTS = 20
"""About three minutes of retries: jobs survive a restart of the service."""


@dataclass(slots=True)
class JobPoller:
    """Polls the service for the state of jobs."""

    client: httpx.Client
    jobs: dict[str, JsonObject] = field(default_factory=dict)
    """Each job's last known state, by id; empty before the first poll."""
    _pause_s: float = FIRST_POLL_S

    @property
    def unfinished(self) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.get("status") not in ENDED]

    def add(self, job_id: str) -> None:
        self.jobs.setdefault(job_id, {})

    def poll(self) -> None:
        """Update the state of each unfinished job.

        A job missing from the list of active ones is polled by itself: it has ended, or the list was incomplete.
        """
        unfinished = self.unfinished
        active: dict[str, JsonObject] = {}
        if len(unfinished) > MAX_SINGLE_POLLS:
            with suppress(ServiceError):  # for example if the job that a page starts after has ended meanwhile
                for job in list_rows(self.client, api_path("jobs"), attempts=ATTEMPTS, active="true"):
                    active[str(job["id"])] = job
        for job_id in unfinished:
            self.jobs[job_id] = active.get(job_id) or self._get(job_id)

    def _get(self, job_id: str) -> JsonObject:
        return request_json(self.client, "GET", api_path("jobs", job_id), attempts=ATTEMPTS)

    def wait(self, on_poll: Callable[[], None]) -> None:
        """Poll until all jobs have ended; `on_poll` is called after each poll."""
        while self.unfinished:
            self.poll()
            on_poll()
            if self.unfinished:
                cli_context().sleep(self._pause_s)
                self._pause_s = min(self._pause_s * 1.5, POLL_S)


def follow(
    client: httpx.Client,
    job: JsonObject,
    *,
    quiet: bool,
    on_change: Callable[[JsonObject], None] = lambda _: None,
) -> JsonObject:
    """Wait for a job, with a progress bar; returns its final state. Ctrl-C ends the program, but not the job.

    Args:
        on_change: Called with the job at first, and then whenever its state has changed.
    """
    poller = JobPoller(client, {str(job["id"]): job})
    started, last = time.monotonic(), job
    with report_unfinished_jobs(lambda: poller.unfinished), progress_bar("files", quiet=quiet) as show:

        def on_poll() -> None:
            nonlocal last
            (state,) = poller.jobs.values()
            show(total_progress([state], elapsed_s=time.monotonic() - started))
            if state != last:
                on_change(state)
            last = state

        on_change(job)
        poller.wait(on_poll)
    return last


def job_files(client: httpx.Client, job_id: str, status: str | None = None) -> Iterator[JsonObject]:
    """The files of a job, or those with this status."""
    rows = list_rows(client, api_path("jobs", job_id, "files"), attempts=ATTEMPTS, filter=status)
    return (row for row in rows if status is None or row.get("status") == status)


def failure_reason(row: JsonObject) -> str:
    """Why a file failed."""
    error = row.get("last_error") or row.get("error") or {}
    return str(error.get("message") or error.get("code") or "unknown reason")


@contextmanager
def report_unfinished_jobs(unfinished_jobs: Callable[[], Collection[str]]) -> Iterator[None]:
    """Report, on Ctrl-C or a lost connection, that the service continues the jobs, and how to see or stop them."""
    try:
        yield
    except KeyboardInterrupt:
        _exit_interrupted(unfinished_jobs())
    except httpx.TransportError:
        if jobs := unfinished_jobs():
            hint = "See progress: python -m rag jobs list --active"
            print_message(f"{_continues(jobs)} once the service is available again. {hint}")
        raise


def _exit_interrupted(jobs: Collection[str]) -> NoReturn:
    if jobs:
        job_id = next(iter(jobs)) if len(jobs) == 1 else "ID"
        commands = f"See progress: python -m rag jobs list --active. Stop: python -m rag jobs cancel {job_id}"
        print_message(f"\n{_continues(jobs)}. {commands}")
    else:
        print_message("\nInterrupted; no job is running")
    sys.exit(130)


def _continues(jobs: Collection[str]) -> str:
    return (
        f"Job {next(iter(jobs))} continues in the service"
        if len(jobs) == 1
        else f"{len(jobs)} jobs continue in the service"
    )
