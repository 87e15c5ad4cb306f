"""Runs an ASGI application only as long as its client is there.

BentoML tells nobody when a client leaves before the first byte of a stream or in a plain call
(trap B5): the work goes on for nobody. Here every request is watched from its first byte, and its
work is cancelled when the client leaves.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READ_AHEAD = 16
"""Body messages taken from the client before the application asks for them."""


class _BufferedReceive:
    """Reads the client's messages ahead, so that its leaving is noticed while the application works."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_READ_AHEAD)
        self._gone = asyncio.Event()

    async def read_until_gone(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                return
            await self._messages.put(message)

    async def receive(self) -> Message:
        if self._messages.empty() and self._gone.is_set():
            return {"type": "http.disconnect"}
        get, gone = asyncio.ensure_future(self._messages.get()), asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({get, gone}, return_when=asyncio.FIRST_COMPLETED)
            return get.result() if get.done() else {"type": "http.disconnect"}
        finally:
            for task in (get, gone):
                task.cancel()


async def run_while_connected(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    """Run `app` to its end, or cancel it (and wait for its clean-up) when the client leaves.

    Returns whether the application ended by itself; its exceptions pass through.
    """
    inbox = _BufferedReceive(receive)
    complete = False

    async def noting_end(message: Message) -> None:
        nonlocal complete
        complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await send(message)

    reader = asyncio.ensure_future(inbox.read_until_gone())
    work = asyncio.ensure_future(app(scope, inbox.receive, noting_end))
    try:
        await asyncio.wait({work, reader}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() or complete:  # servers say `http.disconnect` after the last byte too
            await work
            return True
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return False
    except ClientDisconnect:  # it left before its request was read
        return False
    finally:
        for task in (work, reader):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
