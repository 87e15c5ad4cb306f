"""Waits for jobs in separate threads, so that waiting requests do not block others."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rag.records import ENDED, JobRecord

if TYPE_CHECKING:
    from rag.library.service import Library

_THREADS = 32
_SLICE_S = 2.0
"""Longest time that a wait occupies its thread. Then other requests get a turn, and a disconnect is noticed."""


class JobWaiter:
    """Waits for jobs on behalf of requests. There is one per service."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="wait")
        self._is_over = False

    async def wait(self, library: Library, job: JobRecord, timeout_s: float) -> JobRecord:
        """The job when it has ended, the timeout has passed, or the service is stopping."""
        loop, deadline = asyncio.get_running_loop(), time.monotonic() + timeout_s
        while job.state not in ENDED and not self._is_over and (left := deadline - time.monotonic()) > 0:
            job = await loop.run_in_executor(self._threads, library.wait, job.job_id, min(left, _SLICE_S))
        return job

    def release(self) -> None:
        """End all waits within one slice because the service is stopping. The jobs resume at its next start."""
        self._is_over = True
