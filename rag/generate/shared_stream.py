"""One generated text that is shared by all concurrent requests for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

from rag.errors import InternalError
from rag.ports import TokenStream
from rag.types import ReasoningDelta, StreamEnd, StreamItem

_COMPLETE = ("stop", "length")
"""Finish reasons of texts that a repeated request would get again."""


class SharedStream:
    """A token stream with several readers.

    The text is generated at the model's pace, however slow the readers are. Each reader gets all of it from the
    beginning, whenever it joins. If the last reader leaves before the end, generation is stopped.

    Args:
        request: The request to the model; `task` enters and leaves it.
        save: Called with all deltas once the text has ended normally.
    """

    def __init__(
        self,
        request: contextlib.AbstractAsyncContextManager[TokenStream],
        save: Callable[[Sequence[StreamItem]], Awaitable[None]],
    ) -> None:
        self._request = request
        self._save = save
        self._deltas: list[StreamItem] = []
        self._failure: Exception | None = None
        self._is_accepted = False
        self._is_over = False
        self._is_complete = False
        self._readers = 0
        self._changed = asyncio.Event()
        self.task = asyncio.create_task(self._write())

    @property
    def is_open(self) -> bool:
        """Whether a new reader can still get a complete text."""
        return self._is_complete or not self._is_over

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[TokenStream]:
        """The text for one reader. See `rag.ports.Generator.generate`."""
        self._readers += 1
        was_complete = self._is_complete
        try:
            while not (self._is_accepted or self._is_over):
                await self._changed.wait()
            if not self._is_accepted:
                raise self._failure or InternalError("the request to the language model was cancelled")
            async with contextlib.aclosing(self._read(was_complete)) as deltas:
                yield deltas
        finally:
            self._readers -= 1
            if not self._readers and not self._is_over:
                self._is_over = True
                self.task.cancel()

    async def _read(self, was_complete: bool) -> AsyncGenerator[StreamItem, None]:
        position = 0
        while True:
            while position < len(self._deltas):
                delta = self._deltas[position]
                position += 1
                if not was_complete:
                    yield delta
                elif not isinstance(delta, ReasoningDelta):  # a cached text comes without it
                    yield replace(delta, cached=True) if isinstance(delta, StreamEnd) else delta
            if self._is_over:
                break
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    async def _write(self) -> None:
        try:
            async with self._request as stream:
                self._is_accepted = True
                self._notify()
                async for delta in stream:
                    self._deltas.append(delta)
                    if isinstance(delta, StreamEnd):
                        self._is_over, self._is_complete = True, delta.finish_reason in _COMPLETE
                    self._notify()
                    if self._is_over:
                        break
        except Exception as error:
            if not self._is_over:  # otherwise the text is complete, and only closing the request failed
                self._failure = error
        finally:
            self._is_over = True
            self._notify()
        if self._is_complete:
            await self._save(self._deltas)

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
