"""Requests to the language model that run at the same time: one for each prompt of a completion."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeAlias

from rag.errors import InternalError
from rag.ports import TokenStream
from rag.types import StreamEnd, StreamItem

_QUEUE_SIZE = 64
"""Deltas that may wait for the client before the streams are slowed down."""
NumberedDelta: TypeAlias = tuple[int, StreamItem]
"""A delta, and the position of its stream."""


@contextlib.asynccontextmanager
async def enter_all(
    requests: Sequence[contextlib.AbstractAsyncContextManager[TokenStream]],
) -> AsyncIterator[list[TokenStream]]:
    """Enters all requests, each in its own task. Exits all of them at the end, or as soon as one is refused."""
    async with contextlib.AsyncExitStack() as stack:
        tasks = [asyncio.create_task(stack.enter_async_context(request)) for request in requests]
        try:
            streams = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        yield streams


async def merge(streams: Sequence[TokenStream]) -> AsyncGenerator[NumberedDelta, None]:
    """The deltas of all streams as they arrive, until each stream has ended.

    Raises:
        InternalError: a stream stopped without a `StreamEnd`.
    """
    queue: asyncio.Queue[NumberedDelta | Exception] = asyncio.Queue(_QUEUE_SIZE)
    tasks = [asyncio.create_task(_read(number, stream, queue)) for number, stream in enumerate(streams)]
    unfinished = len(tasks)
    try:
        while unfinished:
            delta = await queue.get()
            if isinstance(delta, Exception):
                raise delta
            unfinished -= isinstance(delta[1], StreamEnd)
            yield delta
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(number: int, stream: TokenStream, queue: asyncio.Queue[NumberedDelta | Exception]) -> None:
    try:
        async for delta in stream:
            await queue.put((number, delta))
            if isinstance(delta, StreamEnd):
                return
        raise InternalError("the text ended before it was complete")
    except Exception as error:
        await queue.put(error)
