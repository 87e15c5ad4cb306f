from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.types import Message

from rag.errors import FileTooLarge, RagError, RequestTimeout
from rag.http.middleware.request_body import LimitedBody

DISCONNECT: Message = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Client:
    """Sends these parts, then nothing."""

    def __init__(self, parts: Sequence[Message], pause_s: float = 0) -> None:
        self._parts = list(parts)
        self._pause_s = pause_s
        self.errors: list[RagError] = []

    async def receive(self) -> Message:
        await asyncio.sleep(self._pause_s)
        if self._parts:
            return self._parts.pop(0)
        await asyncio.sleep(3600)
        return DISCONNECT

    async def refuse(self, error: RagError) -> None:
        self.errors.append(error)

    def body(self, timeout_s: float | None = 0.05) -> LimitedBody:
        return LimitedBody(self.receive, max_bytes=10, timeout_s=timeout_s, path="/ask", refuse=self.refuse)


async def test_a_body_that_stops_arriving_is_refused() -> None:
    client = Client([part(b"12", more=True)])
    body = client.body()
    assert await body.receive() == part(b"12", more=True)
    assert await body.receive() == DISCONNECT
    assert isinstance(client.errors[0], RequestTimeout)


async def test_after_the_body_the_client_may_wait() -> None:
    client = Client([part(b"12", more=True), part(b"3", more=False)])
    body = client.body()
    await body.receive()
    await body.receive()
    waiting = asyncio.create_task(body.receive())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    waiting.cancel()
    assert client.errors == []


async def test_a_slow_body_is_received_as_long_as_it_goes_on() -> None:
    client = Client([part(b"1", more=True)] * 5 + [part(b"", more=False)], pause_s=0.02)
    body = client.body(timeout_s=5)
    for _ in range(6):
        assert (await body.receive())["type"] == "http.request"
    assert client.errors == []


async def test_a_body_that_grows_too_large_is_refused() -> None:
    client = Client([part(b"123456", more=True)] * 2)
    body = client.body(timeout_s=None)
    assert (await body.receive())["type"] == "http.request"
    assert await body.receive() == DISCONNECT
    assert isinstance(client.errors[0], FileTooLarge)
