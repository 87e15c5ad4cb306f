"""The jobs that run in this process: cancellation, retries and progress reports."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from rag.catalog.database import Database
from rag.catalog.documents import jobs
from rag.errors import DeadlineExceeded, Overloaded, RagError, Unavailable
from rag.ingest.job import JobCancelled, JobInterrupted
from rag.records.job_step import JobStep

_ALIVE_INTERVAL_S = 15.0
_RATE_WINDOW_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
T = TypeVar("T")


class RunningJobs:
    """The jobs that this process works on. Safe for several threads.

    Args:
        database: The catalog.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._chunk_counts: dict[str, deque[tuple[float, int]]] = {}
        """For each job, times and the number of chunks embedded until then."""
        self._reporter: threading.Thread | None = None

    def register(self, job_id: str) -> None:
        with self._lock:
            self._chunk_counts[job_id] = deque([(time.monotonic(), 0)])
            if self._reporter is None:
                self._reporter = threading.Thread(target=self._report_alive, name="jobs-alive", daemon=True)
                self._reporter.start()

    def unregister(self, job_id: str) -> None:
        with self._lock:
            self._chunk_counts.pop(job_id, None)
        if not self._stopping.is_set():
            with suppress(RagError), self._database.write() as connection:
                jobs.clear_alive(connection, job_id)

    def stop(self) -> None:
        """Make every job raise JobInterrupted at its next `check`."""
        self._stopping.set()

    @property
    def active(self) -> bool:
        """Whether any job is registered."""
        return bool(self._chunk_counts)

    def raise_if_stopping(self) -> None:
        """Raise JobInterrupted if the process is stopping: errors are then not the job's fault."""
        if self._stopping.is_set():
            raise JobInterrupted

    def check(self, job_id: str) -> None:
        """Raise JobInterrupted or JobCancelled if the job must not continue."""
        self.raise_if_stopping()
        with suppress(Unavailable), self._database.read() as connection:
            if jobs.state(connection, job_id) != "running":
                raise JobCancelled

    def report_progress(self, job_id: str, step: JobStep, chunks: int = 0) -> None:
        """Note that the job made progress; `chunks` were embedded since the last report."""
        rate = self._rate(job_id, chunks) if chunks else None
        with suppress(Unavailable), self._database.write() as connection:
            jobs.report_progress(connection, job_id, step.text, rate)

    def with_retries(self, job_id: str, work: Callable[[], T]) -> T:
        """Call `work`. Retry with growing pauses while a dependency is unavailable or overloaded.

        Raises:
            JobInterrupted, JobCancelled: the job must not continue.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return work()
            except (Unavailable, DeadlineExceeded, Overloaded) as error:
                with suppress(Unavailable), self._database.write() as connection:
                    jobs.report_waiting(connection, job_id, error.message)
            if self._stopping.wait(pause_s):
                raise JobInterrupted
            self.check(job_id)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    def _rate(self, job_id: str, chunks: int) -> float | None:
        """Chunks per second over the last half minute."""
        now = time.monotonic()
        with self._lock:
            counts = self._chunk_counts.get(job_id)
            if counts is None:
                return None
            counts.append((now, counts[-1][1] + chunks))
            while len(counts) > 2 and counts[0][0] < now - _RATE_WINDOW_S:
                counts.popleft()
            seconds, done = now - counts[0][0], counts[-1][1] - counts[0][1]
        return round(done / seconds, 1) if seconds > 0 else None

    def _report_alive(self) -> None:
        while not self._stopping.wait(_ALIVE_INTERVAL_S):
            # Under the lock: a job that is unregistered meanwhile must not be reported as alive after that.
            with self._lock, suppress(RagError):
                if self._chunk_counts:
                    with self._database.write() as connection:
                        jobs.report_alive(connection, list(self._chunk_counts))
