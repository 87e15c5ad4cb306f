"""How far jobs are, and the progress bar that shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rag.cli.output import format_duration, print_message, stderr
from rag.records import ENDED
from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of one or several jobs; `done` and `total` count files."""

    done: int
    total: int
    chunks: int = 0
    chunks_per_s: float = 0.0
    seconds_left: float | None = None
    waiting_for: str = ""
    """The dependency that a job waits for, such as the encoder."""
    is_stalled: bool = False
    step: str = ""

    @property
    def problem(self) -> str:
        """Why the jobs do not advance; empty while they do."""
        waiting = f"waiting for {self.waiting_for}" if self.waiting_for else ""
        stalled = "stalled: no progress for a while" if self.is_stalled else ""
        return "; ".join(filter(None, [waiting, stalled]))

    def __str__(self) -> str:
        parts = [f"{self.chunks:,} chunks"]
        if self.chunks_per_s:
            parts.append(f"{self.chunks_per_s:,.0f} chunks/s")
        if self.seconds_left is not None:
            parts.append(f"{format_duration(self.seconds_left)} left")
        return ", ".join([*parts, *filter(None, [self.problem or self.step])])


def total_progress(jobs: Collection[JsonObject], done: int = 0, total: int = 0, elapsed_s: float = 0.0) -> JobProgress:
    """The combined progress of jobs.

    Args:
        done: Number of finished files that belong to none of the jobs.
        total: Number of all files; 0 stands for those of the jobs.
        elapsed_s: Time since the start, from which the remaining time of several jobs is estimated.
    """
    progress = [job.get("progress") or {} for job in jobs]
    counts = [job.get("file_counts") or {} for job in jobs]
    done += sum(int(count.get("total", 0)) - int(count.get("in_progress", 0)) for count in counts)
    total = max(total or sum(int(count.get("total", 0)) for count in counts), done)
    active = [
        p for job, p in zip(jobs, progress, strict=True) if job.get("status") == "running" or p.get("waiting_for")
    ]
    unfinished = [p for job, p in zip(jobs, progress, strict=True) if job.get("status") not in ENDED]
    seconds_left = elapsed_s / done * (total - done) if done and elapsed_s else None
    if len(unfinished) == 1:
        seconds_left = unfinished[0].get("seconds_left", seconds_left)
    return JobProgress(
        done=done,
        total=total,
        chunks=sum(int(p.get("chunks") or 0) for p in progress),
        chunks_per_s=sum(float(p.get("chunks_per_s") or 0) for p in active),
        seconds_left=seconds_left if unfinished else None,
        waiting_for=next((str(p["waiting_for"]) for p in active if p.get("waiting_for")), ""),
        is_stalled=any(p.get("stalled") for p in active),
        step=next((str(p["step"]) for p in active if p.get("step")), ""),
    )


ShowProgress = Callable[[JobProgress], None]


@contextmanager
def progress_bar(unit: str, total: int = 0, *, quiet: bool = False) -> Iterator[ShowProgress]:
    """A progress bar on stderr. Without a terminal, a line whenever a problem begins or ends."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(),
    )
    last_problem = ""
    with Progress(*columns, console=stderr, disable=quiet or not stderr.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total or None, text="")

        def show(progress: JobProgress) -> None:
            nonlocal last_problem
            bar.update(task, completed=progress.done, total=progress.total or None, text=f"{unit}, {progress}")
            if not quiet and not stderr.is_terminal and progress.problem != last_problem:
                last_problem = progress.problem
                print_message(last_problem or "resumed")

        yield show
