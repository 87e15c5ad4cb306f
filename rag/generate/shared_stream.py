"""One text that is being written, and all who read it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from rag.ports import TokenStream
from rag.types import StreamEnd, TextDelta

_WHOLE = ("stop", "length")
"""Finish reasons of texts that would be written again as they are."""


class SharedStream:
    """Writes at the language model's pace; each reader gets everything from the beginning, then what comes.

    Args:
        begin: Has the text begun: returns when the language model has accepted the request.
        keep: Called with all pieces once the text is whole, that is, ended as texts should.
    """

    def __init__(
        self,
        begin: Callable[[], Awaitable[TokenStream]],
        keep: Callable[[Sequence[TextDelta | StreamEnd]], Awaitable[None]],
    ) -> None:
        self._begin = begin
        self._keep = keep
        self._pieces: list[TextDelta | StreamEnd] = []
        self._failure: Exception | None = None
        self._is_accepted = False
        self._is_over = False
        self._is_whole = False
        self._readers = 0
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._write())

    @property
    def is_open(self) -> bool:
        """Whether a new reader gets a whole text, as far as can be told now."""
        return self._is_whole or not self._is_over

    async def read(self) -> TokenStream:
        """For one reader. Its first piece is empty and says that the request was accepted.

        Raises what the language model raises. When the last reader closes its own before the end, nothing more is
        written.
        """
        self._readers += 1
        was_whole = self._is_whole
        try:
            while not (self._is_accepted or self._is_over):
                await self._news.wait()
            if self._is_accepted:
                yield TextDelta("")
            read = 0
            while True:
                while read < len(self._pieces):
                    piece = self._pieces[read]
                    read += 1
                    yield replace(piece, cached=True) if was_whole and isinstance(piece, StreamEnd) else piece
                if self._is_over:
                    break
                await self._news.wait()
            if self._failure is not None:
                raise self._failure
        finally:
            self._readers -= 1
            if not self._readers and not self._is_over:
                self._is_over = True
                self.task.cancel()

    async def _write(self) -> None:
        try:
            async with contextlib.aclosing(await self._begin()) as pieces:
                self._is_accepted = True
                self._tell()
                async for piece in pieces:
                    self._pieces.append(piece)
                    if isinstance(piece, StreamEnd):
                        self._is_over, self._is_whole = True, piece.finish_reason in _WHOLE
                    self._tell()
                    if self._is_over:
                        break
        except Exception as error:
            if not self._is_over:  # else it only closed badly
                self._failure = error
        finally:
            self._is_over = True
            self._tell()
        if self._is_whole:
            await self._keep(self._pieces)

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
