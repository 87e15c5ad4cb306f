"""Cancels an ASGI application when its client disconnects.

BentoML notices neither a disconnect before the first byte of a stream nor one during a plain call
(docs/bentoml_issues.md#b5). Here every request is watched from its first byte.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READ_AHEAD = 16
"""Maximum number of messages that are read ahead of the application."""


class _BufferedReceive:
    """A `receive` that reads ahead, so that a disconnect is noticed while the application is working."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_READ_AHEAD)
        self._disconnected = asyncio.Event()
        self._body_has_ended = False

    @property
    def is_cut_off(self) -> bool:
        """Whether the client disconnected before it had sent the whole body."""
        return self._disconnected.is_set() and not self._body_has_ended

    async def read_until_disconnect(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._disconnected.set()
                return
            self._body_has_ended = not message.get("more_body", False)
            await self._messages.put(message)

    async def receive(self) -> Message:
        if self._messages.empty() and self._disconnected.is_set():
            return {"type": "http.disconnect"}
        message = asyncio.ensure_future(self._messages.get())
        disconnect = asyncio.ensure_future(self._disconnected.wait())
        try:
            await asyncio.wait({message, disconnect}, return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            for task in (message, disconnect):
                task.cancel()


async def run_while_connected(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    """Run `app` to its end, or cancel it and wait for its clean-up when the client disconnects.

    Returns whether the application ended by itself. Its exceptions are propagated.
    """
    messages = _BufferedReceive(receive)
    complete = False

    async def send_and_note_end(message: Message) -> None:
        nonlocal complete
        if messages.is_cut_off:  # the application complains about the body to a client that has left
            return
        complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await send(message)

    reader = asyncio.ensure_future(messages.read_until_disconnect())
    work = asyncio.ensure_future(app(scope, messages.receive, send_and_note_end))
    try:
        await asyncio.wait({work, reader}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() or complete:  # servers also send `http.disconnect` after the last byte
            await work
            return complete or not messages.is_cut_off
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return False
    except ClientDisconnect:  # the client disconnected before its request was read
        return False
    finally:
        for task in (work, reader):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
