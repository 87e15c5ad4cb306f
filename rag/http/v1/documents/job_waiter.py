"""Waiting for jobs without holding the threads that everything else needs."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from rag.library.service import Library
from rag.records import ENDED, JobRecord

_THREADS = 32
_SLICE_S = 2.0
"""A wait holds its thread for so long at once: then others get a turn, and a client that left is noticed."""


class JobWaiter:
    """Holds requests until their jobs end. One a service."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="wait")
        self._is_over = False

    async def wait(self, library: Library, job: JobRecord, timeout_s: float) -> JobRecord:
        """The job once it has ended, or as it is when the time is over, or the service wants to stop."""
        loop, deadline = asyncio.get_running_loop(), time.monotonic() + timeout_s
        while job.state not in ENDED and not self._is_over and (left := deadline - time.monotonic()) > 0:
            job = await loop.run_in_executor(self._threads, library.wait, job.job_id, min(left, _SLICE_S))
        return job

    def release(self) -> None:
        """Let all who wait go, within one slice: the service stops, and their jobs go on at its next start."""
        self._is_over = True
