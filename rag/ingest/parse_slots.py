"""Limits how many files are read at once, and shares this limit fairly between vector stores."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from rag.auth.caller import queueing_caller
from rag.ingest.event_loop import run_in_loop
from rag.queues.fair_queue import FairQueue, QueueLimits

FILES_AT_ONCE = 3
"""Files that are read at once; at most two of them belong to the same vector store."""


class ParseSlots:
    """Makes job threads wait until it is their vector store's turn to read a file.

    Args:
        loop: The running event loop of the service.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, files_at_once: int = FILES_AT_ONCE) -> None:
        self._loop = loop
        self._queue = FairQueue("parse", files_at_once, QueueLimits(headroom=1 / 3))

    @property
    def in_use(self) -> int:
        return self._queue.used

    @property
    def waiting(self) -> int:
        """Number of files that are waiting."""
        return self._queue.waiting

    @contextlib.contextmanager
    def slot(self, check: Callable[[], None]) -> Iterator[None]:
        """A context in which a file may be read; entering it waits for the store's turn.

        Args:
            check: Called repeatedly while it waits; if it raises, the store leaves the queue.
        """
        stack = contextlib.AsyncExitStack()
        try:
            run_in_loop(self._loop, self._enter(stack, queueing_caller().queue), check)
            yield
        finally:
            self._leave(stack)

    async def _enter(self, stack: contextlib.AsyncExitStack, caller: str) -> None:
        await stack.enter_async_context(self._queue.slot(caller))

    def _leave(self, stack: contextlib.AsyncExitStack) -> None:
        """Release the slot without waiting, because the event loop may have stopped."""
        leaving = stack.aclose()
        try:
            asyncio.run_coroutine_threadsafe(leaving, self._loop)
        except RuntimeError:  # the loop is closed
            leaving.close()
