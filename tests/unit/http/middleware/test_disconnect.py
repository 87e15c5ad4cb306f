"""A request is cancelled when its client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from rag.http.middleware.disconnect import run_while_connected

SCOPE: Scope = {"type": "http"}
DISCONNECT: Message = {"type": "http.disconnect"}
START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


class Client:
    """Sends `messages`, then nothing until `leave()`. Like uvicorn, it sends `http.disconnect` after the last byte."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages) or [body()]
        self._over = asyncio.Event()
        self.taken = 0
        self.got: list[Message] = []

    def leave(self) -> None:
        self._over.set()

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        if self.taken < len(self._messages):
            self.taken += 1
            return self._messages[self.taken - 1]
        await self._over.wait()
        return DISCONNECT

    async def send(self, message: Message) -> None:
        self.got.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._over.set()


class App:
    """Runs `work`. Records when it has started and when its slow cleanup has finished."""

    def __init__(self, work: Callable[[Receive, Send], Awaitable[None]]) -> None:
        self._work = work
        self.at_work = asyncio.Event()
        self.cleaned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.at_work.set()
        try:
            await self._work(receive, send)
        finally:
            await asyncio.sleep(0.01)
            self.cleaned = True


async def forever() -> None:
    await asyncio.Event().wait()


async def before_the_first_byte(receive: Receive, send: Send) -> None:
    await receive()
    await forever()


async def before_the_body_is_read(receive: Receive, send: Send) -> None:
    await forever()


async def while_streaming(receive: Receive, send: Send) -> None:
    await send(START)
    while True:
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("work", [before_the_first_byte, before_the_body_is_read, while_streaming])
async def test_a_disconnect_cancels_the_request_and_waits_for_its_cleanup(
    work: Callable[[Receive, Send], Awaitable[None]],
) -> None:
    """docs/bentoml_issues.md#b5: BentoML misses disconnects in plain calls and before the first byte of a stream."""
    client, app = Client(), App(work)
    running = asyncio.create_task(run_while_connected(app, SCOPE, client.receive, client.send))
    await app.at_work.wait()
    await asyncio.sleep(0.01)
    assert not running.done()
    client.leave()
    assert await asyncio.wait_for(running, 30) is False
    assert app.cleaned


async def test_what_the_application_answers_to_half_a_body_is_not_the_response() -> None:
    """BentoML's APIs answer a body that ends early with an error, which the client could not read any more."""

    async def work(receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({**START, "status": 400})
        await send({"type": "http.response.body", "body": b"the body is not JSON"})

    client, app = Client(body(b'{"prompt": ', more=True)), App(work)
    running = asyncio.create_task(run_while_connected(app, SCOPE, client.receive, client.send))
    await app.at_work.wait()
    client.leave()
    assert await asyncio.wait_for(running, 30) is False
    assert client.got == []


async def test_an_application_that_ends_normally_is_not_cancelled() -> None:
    async def work(receive: Receive, send: Send) -> None:
        assert await receive() == body(b"hi")
        await send(START)
        await send({"type": "http.response.body", "body": b"ok"})

    client, app = Client(body(b"hi")), App(work)
    assert await run_while_connected(app, SCOPE, client.receive, client.send) is True
    assert [message["type"] for message in client.got] == ["http.response.start", "http.response.body"]
    assert app.cleaned


async def test_work_after_the_last_byte_is_not_cancelled() -> None:
    """Servers send `http.disconnect` then too, while background work and cleanup may still run."""
    finished: list[bool] = []

    async def work(receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"ok"})
        await asyncio.sleep(0.02)
        finished.append(True)

    client = Client()
    assert await run_while_connected(App(work), SCOPE, client.receive, client.send) is True
    assert finished == [True]


async def test_errors_of_the_application_pass_through() -> None:
    async def work(receive: Receive, send: Send) -> None:
        raise ValueError("a defect")

    client = Client()
    with pytest.raises(ValueError, match="a defect"):
        await run_while_connected(App(work), SCOPE, client.receive, client.send)


async def test_an_upload_passes_intact_with_little_read_ahead() -> None:
    client = Client(*[body(bytes([i]), more=i < 99) for i in range(100)])
    received: list[bytes] = []
    read_ahead: list[int] = []

    async def work(receive: Receive, send: Send) -> None:
        more = True
        while more:
            if len(received) % 20 == 0:
                await asyncio.sleep(0.003)
                read_ahead.append(client.taken - len(received))
            message = await receive()
            received.append(message["body"])
            more = message["more_body"]

    assert await run_while_connected(App(work), SCOPE, client.receive, client.send) is True
    assert b"".join(received) == bytes(range(100))
    assert 0 < max(read_ahead) <= 18


async def test_an_application_that_waits_for_the_disconnect_receives_it() -> None:
    received_types: list[str] = []

    async def work(receive: Receive, send: Send) -> None:
        await receive()
        received_types.append((await receive())["type"])
        await forever()

    client, app = Client(), App(work)
    running = asyncio.create_task(run_while_connected(app, SCOPE, client.receive, client.send))
    await app.at_work.wait()
    client.leave()
    assert await asyncio.wait_for(running, 30) is False
    assert received_types == ["http.disconnect"]


async def test_a_cancelled_receive_loses_no_message() -> None:
    got: list[Message] = []
    late = asyncio.Event()

    async def receive_late() -> Message:
        if not got and not late.is_set():
            await late.wait()
            return body(b"late")
        await forever()
        raise AssertionError("not reached")

    async def work(receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        late.set()
        got.append(await receive())

    assert await run_while_connected(App(work), SCOPE, receive_late, Client().send) is True
    assert got == [body(b"late")]


async def test_cancelling_the_middleware_cancels_the_application() -> None:
    client, app = Client(), App(before_the_first_byte)
    running = asyncio.create_task(run_while_connected(app, SCOPE, client.receive, client.send))
    await app.at_work.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert app.cleaned


async def test_a_disconnect_before_the_body_is_read_is_not_an_error() -> None:
    async def read_body(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    client = Client(body(b"half", more=True))
    asyncio.get_running_loop().call_later(0.01, client.leave)
    scope: Scope = {"type": "http", "method": "POST", "headers": []}
    assert not await run_while_connected(read_body, scope, client.receive, client.send)
    assert client.got == []
