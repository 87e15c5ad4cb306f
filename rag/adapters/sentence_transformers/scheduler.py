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
THREADS_PER_SLICE = 1
"""Threads that compute one slice. Two threads wait for each other at every layer, and use CPU time while they wait. If
the language model uses the same cores, a question takes ten times longer with two threads than with one, and a slice of
candidates two to five times. Several slices share the cores instead."""
CANDIDATES_AT_ONCE = 4
"""Candidates in one slice on a CPU: few enough to share them between threads, and no slower than more."""
_AT_ONCE = 8
"""Texts in one slice on a CPU if their tokens are not counted: more gain nothing, and are padded to the longest."""
_PASSAGE_TOKENS = 640
"""Tokens in one slice of passages on a CPU: more gain nothing, and make questions wait."""
_NICE = 5
"""Nice value of the threads for passages, so that a running slice takes little CPU time from a question."""


class ComputeScheduler:
    """Threads shared by all models of a process: for questions, for candidates and for passages.

    Candidates are passages that a question is compared with. A slice of passages starts only when no question or
    candidate is waiting, for any model, but after at most `max_wait_s`, so that documents are still ingested under
    load. Questions and candidates wait neither for a slice of passages that is running nor for each other, and passages
    have a lower priority for the operating system.

    Callers take turns with their slices, and so do the vector stores whose documents are ingested.

    Args:
        cores: Slices of candidates that are computed in parallel. Questions are computed one slice at a time.
        passages_at_once: Slices of passages that are computed in parallel.
        max_wait_s: How long a slice of passages waits for questions and candidates.
        limits: Of the queue of questions.
    """

    def __init__(
        self,
        cores: int = 1,
        *,
        passages_at_once: int = 1,
        max_wait_s: float = 2.0,
        limits: QueueLimits | None = None,
    ) -> None:
        self._max_wait_s = max_wait_s
        self._questions = FairQueue("questions", 1, limits)
        self._candidates = FairQueue("candidates", cores)
        self._passages = FairQueue("passages", passages_at_once)
        self._for_questions = ThreadPoolExecutor(1, thread_name_prefix="encoder-questions")
        self._for_candidates = ThreadPoolExecutor(cores, thread_name_prefix="encoder-candidates")
        self._for_passages = ThreadPoolExecutor(
            passages_at_once, thread_name_prefix="encoder-passages", initializer=_lower_priority_of_thread
        )
        self._waited_for = 0
        self._changed = asyncio.Condition()

    async def question(self, compute: Callable[[], T]) -> T:
        return await self._first(self._questions, self._for_questions, compute)

    async def candidates(self, compute: Callable[[], T]) -> T:
        return await self._first(self._candidates, self._for_candidates, compute)

    async def passages(self, compute: Callable[[], T]) -> T:
        caller = queueing_caller()
        # Each slice checks for waiting questions when it may start, not when it is submitted.
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
    """Lower the priority of this thread and those that it starts. Only Linux has priorities for threads."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)


async def _run(thread: ThreadPoolExecutor, compute: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, compute)


def slices_by_length(lengths: Sequence[int], at_once: int, most: int | None = None) -> list[list[int]]:
    """Positions of texts in slices of at most `at_once`, sorted by descending length.

    A batch is padded to its longest text: with mixed lengths, half of the computation would be wasted. Lengths in
    characters are a poor measure: with them, a fifth of the computation is wasted, and with tokens a twentieth.

    Args:
        most: The greatest length of a slice with its padding, except of a slice of one text. None: any.
    """
    slices: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda position: lengths[position], reverse=True):
        last = slices[-1] if slices else []
        fits = most is None or (len(last) + 1) * lengths[last[0] if last else position] <= most
        if last and len(last) < at_once and fits:
            last.append(position)
        else:
            slices.append([position])
    return slices


def in_original_order(slices: Sequence[Sequence[int]], results: Sequence[Sequence[T]]) -> list[T]:
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


def passage_tokens(device: str) -> int | None:
    """Tokens in a slice of passages, for a kind of device such as `cpu` or `cuda`; None: any number."""
    return _PASSAGE_TOKENS if device == "cpu" else None


def cores(settings: EmbedderSettings) -> int:
    """Slices that the CPU computes in parallel."""
    return settings.threads or _all_threads()


def passages_at_once(settings: EmbedderSettings) -> int:
    """Slices of passages that are computed in parallel. A GPU computes one, which is as large as the settings allow."""
    return cores(settings) if _device(settings) == "cpu" else 1


def _device(settings: EmbedderSettings) -> str:
    if settings.device is not None:
        return settings.device
    from sentence_transformers.util import get_device_name

    name: str = get_device_name()
    return name


@functools.cache
def _all_threads() -> int:
    """torch's default number of threads, read before `torch.set_num_threads` is first called."""
    import torch

    return torch.get_num_threads()
