"""Limits the size of a request body and the time between its parts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive

from rag.errors import FileTooLarge, RagError, RequestTimeout


class LimitedBody:
    """An ASGI `receive` that refuses a body that is too large or stops arriving.

    Args:
        receive: Of the request.
        max_bytes: Size of the body.
        timeout_s: Seconds between two parts of the body; None: any time.
        path: Of the request, for messages.
        refuse: Sends an error response.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        max_bytes: int,
        timeout_s: float | None,
        path: str,
        refuse: Callable[[RagError], Awaitable[None]],
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._timeout_s = timeout_s
        self._path = path
        self._refuse = refuse
        self._is_complete = False

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(None if self._is_complete else self._timeout_s):
                message = await self._receive()
        except TimeoutError:
            return await self._end(
                RequestTimeout(f"no part of the body arrived for {self._timeout_s:g} s, so the request was aborted")
            )
        self._is_complete = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            return await self._end(too_large(self._path, self._max_bytes))
        return message

    async def _end(self, error: RagError) -> Message:
        self._is_complete = True
        await self._refuse(error)
        return {"type": "http.disconnect"}


def too_large(path: str, max_bytes: int) -> FileTooLarge:
    return FileTooLarge(f"the body is larger than {max_bytes} bytes, the limit of {path}")
