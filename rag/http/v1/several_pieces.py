"""What a language model writes for several prompts at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from rag.errors import InternalError
from rag.ports import TokenStream
from rag.types import StreamEnd, TextDelta

_AHEAD = 64
"""Pieces that wait to be taken."""
Numbered: TypeAlias = AsyncGenerator[tuple[int, TextDelta | StreamEnd], None]


async def begin_all(begin: Sequence[Callable[[], Awaitable[TokenStream]]]) -> list[TokenStream]:
    """All of them, accepted. When one is refused, or this is cancelled, the others are stopped."""
    tasks = [asyncio.ensure_future(one()) for one in begin]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        for begun in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(begun, BaseException):
                await begun.aclose()
        raise


async def side_by_side(several: Sequence[TokenStream]) -> Numbered:
    """Pieces as they come, each with its place among `several`. Closing it stops them all."""
    waiting: asyncio.Queue[tuple[int, TextDelta | StreamEnd | Exception]] = asyncio.Queue(_AHEAD)
    tasks = [asyncio.create_task(_take(number, pieces, waiting)) for number, pieces in enumerate(several)]
    left = len(tasks)
    try:
        while left:
            number, piece = await waiting.get()
            if isinstance(piece, Exception):
                raise piece
            left -= isinstance(piece, StreamEnd)
            yield number, piece
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _take(number: int, pieces: TokenStream, waiting: asyncio.Queue[Any]) -> None:
    try:
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                await waiting.put((number, piece))
                if isinstance(piece, StreamEnd):
                    return
        raise InternalError("the text ended before it was complete")
    except Exception as error:
        await waiting.put((number, error))


async def close_all(several: Sequence[TokenStream]) -> None:
    """Also of those that nothing was taken of."""
    for pieces in several:
        await pieces.aclose()
