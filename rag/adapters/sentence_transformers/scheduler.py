"""Where the models of a process compute. What a question waits for goes first."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rag.config import EmbedderSettings

T = TypeVar("T")
QUESTION_THREADS = 1
"""A question is too little work to share: where the language model computes on the same cores, two threads that
wait for each other at every layer take ten times longer than one. Slices of candidates take two to five times longer,
so that they are shared out whole."""
CANDIDATES_AT_ONCE = 4
"""Candidates computed in one go on a CPU: few enough to be shared out, and no slower than more."""
_AT_ONCE = 8
"""Texts computed in one go on a CPU: more gain nothing there, are padded to the longest, and make questions wait."""


class ComputeScheduler:
    """The threads that compute, shared by all models of a process: for questions, for candidates, for passages.

    Candidates are passages that a question is compared with. No slice of passages begins while a question or
    candidates wait, whichever models they are for; but where there is always one, a slice has its turn now and then,
    so that documents still come in. They do not wait for the slice in work either, nor questions for
    candidates: each gets its share of the cores at once.

    Args:
        cores: Slices of candidates that are computed side by side, each in one thread. Questions and slices of
            passages are computed one after the other.
        patience_s: How long a slice of passages lets others go first.
    """

    def __init__(self, cores: int = 1, *, patience_s: float = 2.0) -> None:
        self._patience_s = patience_s
        self._for_questions = ThreadPoolExecutor(1, thread_name_prefix="encoder-questions")
        self._for_candidates = ThreadPoolExecutor(cores, thread_name_prefix="encoder-candidates")
        self._for_passages = ThreadPoolExecutor(1, thread_name_prefix="encoder-passages")
        self._waited_for = 0
        self._changed = asyncio.Condition()
        self._slice = asyncio.Lock()

    async def question(self, compute: Callable[[], T]) -> T:
        return await self._first(self._for_questions, compute)

    async def candidates(self, compute: Callable[[], T]) -> T:
        return await self._first(self._for_candidates, compute)

    async def passages(self, compute: Callable[[], T]) -> T:
        async with self._slice:  # else each job's slice would be queued before the next question is looked for
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s), self._changed:
                    await self._changed.wait_for(lambda: self._waited_for == 0)
            return await _run(self._for_passages, compute)

    async def _first(self, thread: ThreadPoolExecutor, compute: Callable[[], T]) -> T:
        self._waited_for += 1
        try:
            return await _run(thread, compute)
        finally:
            self._waited_for -= 1
            async with self._changed:
                self._changed.notify_all()


async def _run(thread: ThreadPoolExecutor, compute: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, compute)


def slices_by_length(lengths: Sequence[int], at_once: int) -> list[list[int]]:
    """Positions of texts, `at_once` in a slice, those of like length together, the longest first.

    A batch is padded to its longest text, so that mixed lengths compute nothing useful for half of the time.
    """
    order = sorted(range(len(lengths)), key=lambda position: lengths[position], reverse=True)
    return [order[start : start + at_once] for start in range(0, len(order), at_once)]


def in_order(slices: Sequence[Sequence[int]], results: Sequence[Sequence[T]]) -> list[T]:
    """What came of the texts of each slice, in the order of all texts."""
    placed: dict[int, T] = {}
    for part, some in zip(slices, results, strict=True):
        placed.update(zip(part, some, strict=True))
    return [placed[position] for position in range(len(placed))]


def candidates_at_once(settings: EmbedderSettings, device: str) -> int:
    """Candidates in a slice on that kind of device."""
    return settings.batch_size if device != "cpu" else min(settings.batch_size, CANDIDATES_AT_ONCE)


def texts_at_once(settings: EmbedderSettings, device: str) -> int:
    """Texts in a slice on that kind of device, such as `cpu` or `cuda`."""
    return settings.batch_size if device != "cpu" else min(settings.batch_size, _AT_ONCE)


def passage_threads(settings: EmbedderSettings) -> int:
    return settings.threads or _all_threads()


@functools.cache
def _all_threads() -> int:
    """As torch counts them before the first question sets another number: asked later, it would answer that one."""
    import torch

    return torch.get_num_threads()
