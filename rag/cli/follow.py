"""Jobs of the service, followed until they have ended: one bar for all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rag.cli.output import complain, duration, err
from rag.cli.service import call, pages, route, world
from rag.records import ENDED
from rag.types import JsonObject
from rag.upload import Rejected

FEW = 3
"""Up to so many jobs are asked for one by one; more by one list of those that are active."""
FIRST_POLL_S = 0.1
POLL_S = 1.0
TRIES = 20
"""Over about three minutes: the service may be started anew, and its jobs go on."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far some jobs are, together."""

    done: int
    total: int
    chunks: int = 0
    chunks_per_s: float = 0.0
    seconds_left: float | None = None
    waiting_for: str = ""
    stalled: bool = False
    step: str = ""


Show = Callable[[Tally], None]


@dataclass(slots=True)
class Follower:
    client: httpx.Client
    jobs: dict[str, JsonObject] = field(default_factory=dict)
    """As last seen; those not seen yet are empty."""
    _pause_s: float = FIRST_POLL_S

    @property
    def pending(self) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.get("status") not in ENDED]

    def add(self, job_id: str) -> None:
        self.jobs.setdefault(job_id, {})

    def poll(self) -> None:
        """A job that is in no list of active ones is asked for: it has ended, or the list was cut on the way."""
        pending = self.pending
        active: dict[str, JsonObject] = {}
        if len(pending) > FEW:
            with suppress(Rejected):  # such as that the last job of a page has ended before the next was asked for
                for job in pages(self.client, route("jobs"), tries=TRIES, active="true"):
                    active[str(job["id"])] = job
        for job_id in pending:
            self.jobs[job_id] = active.get(job_id) or call(self.client, "GET", route("jobs", job_id), tries=TRIES)

    def until_ended(self, seen: Callable[[], None]) -> None:
        """Polls; `seen` is called after each time."""
        while self.pending:
            self.poll()
            seen()
            if self.pending:
                world().sleep(self._pause_s)
                self._pause_s = min(self._pause_s * 1.5, POLL_S)


def tally(jobs: Collection[JsonObject], done: int = 0, total: int = 0, elapsed_s: float = 0.0) -> Tally:
    """The sum of jobs.

    Args:
        done: Files that are done and in no job.
        total: Of all files; 0: those of the jobs.
        elapsed_s: Since the beginning: what the time left is reckoned from when there are several jobs.
    """
    progress = [job.get("progress") or {} for job in jobs]
    counts = [job.get("file_counts") or {} for job in jobs]
    done += sum(int(c.get("total", 0)) - int(c.get("in_progress", 0)) for c in counts)
    total = max(total or sum(int(c.get("total", 0)) for c in counts), done)
    at_work = [
        p for job, p in zip(jobs, progress, strict=True) if job.get("status") == "running" or p.get("waiting_for")
    ]
    open_jobs = [p for job, p in zip(jobs, progress, strict=True) if job.get("status") not in ENDED]
    left = elapsed_s / done * (total - done) if done and elapsed_s else None
    if len(open_jobs) == 1:
        left = open_jobs[0].get("seconds_left", left)
    return Tally(
        done=done,
        total=total,
        chunks=sum(int(p.get("chunks") or 0) for p in progress),
        chunks_per_s=sum(float(p.get("chunks_per_s") or 0) for p in at_work),
        seconds_left=left if open_jobs else None,
        waiting_for=next((str(p["waiting_for"]) for p in at_work if p.get("waiting_for")), ""),
        stalled=any(p.get("stalled") for p in at_work),
        step=next((str(p["step"]) for p in at_work if p.get("step")), ""),
    )


def described(state: Tally) -> str:
    """What stands behind the bar."""
    parts = [f"{state.chunks:,} chunks"]
    if state.chunks_per_s:
        parts.append(f"{state.chunks_per_s:,.0f} chunks/s")
    if state.seconds_left is not None:
        parts.append(f"{duration(state.seconds_left)} left")
    return ", ".join([*parts, *filter(None, [trouble(state) or state.step])])


def trouble(state: Tally) -> str:
    waiting = f"waiting for {state.waiting_for}" if state.waiting_for else ""
    stalled = "stalled: it has not got on for a while" if state.stalled else ""
    return "; ".join(filter(None, [waiting, stalled]))


@contextmanager
def bar(unit: str, total: int = 0, *, quiet: bool = False) -> Iterator[Show]:
    """Shows tallies on a terminal; where there is none, a line for each new trouble. All on stderr."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(),
    )
    told = ""
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=total or None, text="")

        def show(state: Tally) -> None:
            nonlocal told
            text = f"{unit}, {described(state)}"
            progress.update(task, completed=state.done, total=state.total or None, text=text)
            if not quiet and not err.is_terminal and trouble(state) != told:
                told = trouble(state)
                complain(told or "going on")

        yield show


def follow(client: httpx.Client, job: JsonObject, *, quiet: bool, seen: Callable[[JsonObject], None]) -> JsonObject:
    """The job once it has ended. Ctrl-C leaves it to itself, and the program.

    Args:
        seen: Called with the job each time it is another.
    """
    follower = Follower(client, {str(job["id"]): job})
    started, last = time.monotonic(), job
    with leaving(lambda: follower.pending), bar("files", quiet=quiet) as show:

        def polled() -> None:
            nonlocal last
            (now,) = follower.jobs.values()
            show(tally([now], elapsed_s=time.monotonic() - started))
            if now != last:
                seen(now)
            last = now

        seen(job)
        follower.until_ended(polled)
    return last


def job_files(client: httpx.Client, job_id: str, status: str | None = None) -> Iterator[JsonObject]:
    rows = pages(client, route("jobs", job_id, "files"), tries=TRIES, filter=status)
    return (row for row in rows if status is None or row.get("status") == status)


def failure(row: JsonObject) -> str:
    """Why a file failed, in a few words."""
    error = row.get("last_error") or row.get("error") or {}
    return str(error.get("message") or error.get("code") or "no reason is known")


@contextmanager
def leaving(going_on: Callable[[], Collection[str]]) -> Iterator[None]:
    """Tells on Ctrl-C, or when the service is lost, that accepted work goes on, and how to see it."""
    try:
        yield
    except KeyboardInterrupt:
        _leave(going_on())
    except httpx.TransportError:
        if jobs := going_on():
            complain(f"{_goes_on(jobs)} once the service is there again. See it: python -m rag jobs list --active")
        raise


def _leave(jobs: Collection[str]) -> NoReturn:
    if jobs:
        stop = f"python -m rag jobs cancel {next(iter(jobs))}" if len(jobs) == 1 else "python -m rag jobs cancel ID"
        complain(f"\n{_goes_on(jobs)}. See it: python -m rag jobs list --active. Stop it: {stop}")
    else:
        complain("\nInterrupted; no job is left at work")
    sys.exit(130)


def _goes_on(jobs: Collection[str]) -> str:
    return f"The job {next(iter(jobs))} goes on" if len(jobs) == 1 else f"The {len(jobs)} jobs go on"
