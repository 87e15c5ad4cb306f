"""A running job: whether it may go on, how fast it is, what it waits for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from rag.catalog import jobs
from rag.catalog.database import Database
from rag.errors import DeadlineExceeded, RagError, Unavailable
from rag.ingest.job import JobCancelled, JobInterrupted

_ALIVE_EVERY_S = 15.0
_RATE_OVER_S = 30.0
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
        self._speeds: dict[str, deque[tuple[float, int]]] = {}
        self._ticker: threading.Thread | None = None

    def enter(self, job_id: str) -> None:
        with self._lock:
            self._speeds[job_id] = deque([(time.monotonic(), 0)])
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._say_alive, name="jobs-alive", daemon=True)
                self._ticker.start()

    def leave(self, job_id: str) -> None:
        with self._lock:
            self._speeds.pop(job_id, None)
        if not self._stopping.is_set():
            with suppress(RagError), self._database.write() as connection:
                jobs.is_left(connection, job_id)

    def stop(self) -> None:
        """Have every job raise JobInterrupted at its next `check`."""
        self._stopping.set()

    @property
    def active(self) -> bool:
        return bool(self._speeds)

    def raise_if_stopping(self) -> None:
        """Raises JobInterrupted: whatever went wrong then is no fault of the job."""
        if self._stopping.is_set():
            raise JobInterrupted

    def check(self, job_id: str) -> None:
        """Raises JobInterrupted or JobCancelled when the job must not go on."""
        self.raise_if_stopping()
        with suppress(Unavailable), self._database.read() as connection:
            if jobs.state(connection, job_id) != "running":
                raise JobCancelled

    def report_progress(self, job_id: str, step: str, chunks: int = 0) -> None:
        """The job got on."""
        rate = self._rate(job_id, chunks) if chunks else None
        with suppress(Unavailable), self._database.write() as connection:
            jobs.report_progress(connection, job_id, step, rate)

    def with_retries(self, job_id: str, work: Callable[[], T]) -> T:
        """Do it, again and again while something that it needs does not answer."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return work()
            except (Unavailable, DeadlineExceeded) as error:
                with suppress(Unavailable), self._database.write() as connection:
                    jobs.waits(connection, job_id, error.message)
            if self._stopping.wait(pause_s):
                raise JobInterrupted
            self.check(job_id)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    def _rate(self, job_id: str, chunks: int) -> float | None:
        now = time.monotonic()
        with self._lock:
            marks = self._speeds.get(job_id)
            if marks is None:
                return None
            marks.append((now, marks[-1][1] + chunks))
            while len(marks) > 2 and marks[0][0] < now - _RATE_OVER_S:
                marks.popleft()
            seconds, done = now - marks[0][0], marks[-1][1] - marks[0][1]
        return round(done / seconds, 1) if seconds > 0 else None

    def _say_alive(self) -> None:
        while not self._stopping.wait(_ALIVE_EVERY_S):
            # Under the lock: a job that leaves meanwhile must not be said to be alive after it was said to be left.
            with self._lock, suppress(RagError):
                if self._speeds:
                    with self._database.write() as connection:
                        jobs.are_alive(connection, list(self._speeds))
