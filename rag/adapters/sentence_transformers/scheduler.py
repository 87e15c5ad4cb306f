"""Schedules the computation of all models: questions have priority over passages, and callers take turns."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rag.auth.caller import queueing_caller
from rag.config import EmbedderSettings
from rag.queues.fair_queue import FairQueue, QueueLimits

T = TypeVar("T")
QUESTION_THREADS = 1
"""Threads for one question. A question is too little work to share between threads: if the language model uses the same
cores, two threads that wait for each other at every layer take ten times longer than one. Slices of candidates take two
to five times longer, so each slice is computed by one thread."""
CANDIDATES_AT_ONCE = 4
"""Candidates in one slice on a CPU: few enough to share them between threads, and no slower than more."""
_AT_ONCE = 8
"""Texts in one slice on a CPU: more gain nothing, are padded to the longest, and make questions wait."""

_NICE = 5
"""How much lower the priority of passages is: a slice that is running takes little of the CPU from a question."""


class ComputeScheduler:
    """Threads shared by all models of a process: for questions, for candidates and for passages.

    Candidates are passages that a question is compared with. A slice of passages starts only when no question or
    candidate is waiting, for any model, but after at most `max_wait_s`, so that documents are still ingested under
    load. Questions and candidates wait neither for a slice of passages that is running nor for each other, and passages
    have a lower priority for the operating system.

    Callers take turns with their slices, and so do the vector stores whose documents are ingested.

    Args:
        cores: Slices of candidates that are computed in parallel, each in one thread. Questions are computed one slice
            at a time, and so are passages.
        max_wait_s: How long a slice of passages waits for questions and candidates.
        limits: Of the queue of questions.
    """

    def __init__(self, cores: int = 1, *, max_wait_s: float = 2.0, limits: QueueLimits | None = None) -> None:
        self._max_wait_s = max_wait_s
        self._questions = FairQueue("questions", 1, limits)
        self._candidates = FairQueue("candidates", cores)
        self._passages = FairQueue("passages", 1)
        self._for_questions = ThreadPoolExecutor(1, thread_name_prefix="encoder-questions")
        self._for_candidates = ThreadPoolExecutor(cores, thread_name_prefix="encoder-candidates")
        self._for_passages = ThreadPoolExecutor(
            1, thread_name_prefix="encoder-passages", initializer=_lower_priority_of_thread
        )
        self._waited_for = 0
        self._changed = asyncio.Condition()

    async def question(self, compute: Callable[[], T]) -> T:
        return await self._first(self._questions, self._for_questions, compute)

    async def candidates(self, compute: Callable[[], T]) -> T:
        return await self._first(self._candidates, self._for_candidates, compute)

    async def passages(self, compute: Callable[[], T]) -> T:
        caller = queueing_caller()
        # One at a time, so that each slice checks for waiting questions before it starts.
        async with self._passages.slot(caller.queue, is_background=caller.is_background):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._max_wait_s), self._changed:
                    await self._changed.wait_for(lambda: self._waited_for == 0)
            return await _run(self._for_passages, compute)

    async def _first(self, queue: FairQueue, thread: ThreadPoolExecutor, compute: Callable[[], T]) -> T:
        self._waited_for += 1
        try:
            async with queue.slot(queueing_caller().queue):
                return await _run(thread, compute)
        finally:
            self._waited_for -= 1
            async with self._changed:
                self._changed.notify_all()


def _lower_priority_of_thread() -> None:
    """Let this thread, and those that it starts, give way to others. Only on Linux do threads have priorities."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)


async def _run(thread: ThreadPoolExecutor, compute: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, compute)


def slices_by_length(lengths: Sequence[int], at_once: int) -> list[list[int]]:
    """Positions of texts in slices of `at_once`, sorted by descending length.

    A batch is padded to its longest text: with mixed lengths, half of the computation would be wasted.
    """
    order = sorted(range(len(lengths)), key=lambda position: lengths[position], reverse=True)
    return [order[start : start + at_once] for start in range(0, len(order), at_once)]


def in_order(slices: Sequence[Sequence[int]], results: Sequence[Sequence[T]]) -> list[T]:
    """The results of all slices, in the original order of the texts."""
    placed: dict[int, T] = {}
    for part, some in zip(slices, results, strict=True):
        placed.update(zip(part, some, strict=True))
    return [placed[position] for position in range(len(placed))]


def candidates_at_once(settings: EmbedderSettings, device: str) -> int:
    """Candidates in a slice, for a kind of device such as `cpu` or `cuda`."""
    return settings.batch_size if device != "cpu" else min(settings.batch_size, CANDIDATES_AT_ONCE)


def texts_at_once(settings: EmbedderSettings, device: str) -> int:
    """Texts in a slice, for a kind of device such as `cpu` or `cuda`."""
    return settings.batch_size if device != "cpu" else min(settings.batch_size, _AT_ONCE)


def passage_threads(settings: EmbedderSettings) -> int:
    return settings.threads or _all_threads()


@functools.cache
def _all_threads() -> int:
    """torch's default number of threads, read before `torch.set_num_threads` is first called."""
    import torch

    return torch.get_num_threads()
