"""An event stream always ends with exactly one `done` or one `error` event."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Message

from rag.errors import DependencyUnavailable, RagError
from rag.http.streaming.event_stream import Event, EventStream
from rag.http.streaming.sse import EventParser

TOKEN: Event = ("token", {"text": "a"})
DONE: Event = ("done", {"finish_reason": "stop"})


class Client:
    """Collects what is sent to it."""

    def __init__(self, on_message: Callable[[Message], Awaitable[None]] | None = None) -> None:
        self.messages: list[Message] = []
        self._on_message = on_message

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        if self._on_message is not None:
            await self._on_message(message)

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages)

    @property
    def events(self) -> list[tuple[str, Any]]:
        return [(name, json.loads(data)) for name, data in EventParser().feed(self.body)]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    @property
    def ended(self) -> bool:
        return self.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


class Script:
    """A scripted event source: an exception is raised, a number is slept. Records whether it was closed."""

    def __init__(self, *steps: Event | BaseException | float) -> None:
        self.steps = steps
        self.cleaned = False
        self.closed = 0

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, tuple):
                    yield step
                else:
                    await asyncio.sleep(step)
        finally:
            self.cleaned = True

    async def close(self) -> None:
        self.closed += 1

    def stream(self, *, keep_alive_s: float = 5, timeout_s: float = 5) -> EventStream:
        resources = contextlib.AsyncExitStack()
        resources.push_async_callback(self.close)
        return EventStream(self.events(), keep_alive_s=keep_alive_s, timeout_s=timeout_s, resources=resources)

    async def play(self, client: Client | None = None, **options: float) -> Client:
        client = client or Client()
        await self.stream(**options)({"type": "http"}, client.receive, client.send)
        return client


async def test_events_arrive_unchanged_and_in_order() -> None:
    script = Script(TOKEN, DONE)
    client = await script.play()
    assert client.events == [TOKEN, DONE]
    assert client.ended
    assert (script.cleaned, script.closed) == (True, 1)


async def test_the_response_head_declares_an_event_stream() -> None:
    client = await Script(DONE).play()
    head = client.messages[0]
    headers = {name.decode(): value.decode() for name, value in head["headers"]}
    assert (head["status"], headers["cache-control"], headers["x-accel-buffering"]) == (200, "no-store", "no")
    assert headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in headers


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((TOKEN,), "internal_error"),
        ((), "internal_error"),
        ((TOKEN, DependencyUnavailable("the engine died")), "dependency_unavailable"),
        ((DependencyUnavailable("the engine died"),), "dependency_unavailable"),
        ((TOKEN, ValueError("a defect")), "internal_error"),
        ((TOKEN, 30.0, DONE), "timeout"),
        ((30.0,), "timeout"),
    ],
    ids=["no-done", "nothing", "rag-error", "rag-error-first", "defect", "hangs", "hangs-first"],
)
async def test_a_stream_that_fails_ends_with_one_error(steps: tuple[Any, ...], code: str) -> None:
    """docs/bentoml_issues.md#b3: BentoML ends such a stream as a normal 200."""
    script = Script(*steps)
    client = await script.play(timeout_s=0.05)
    assert client.names == ["token"] * (TOKEN in steps) + ["error"]
    assert client.events[-1][1]["code"] == code
    assert client.ended
    assert (script.cleaned, script.closed) == (True, 1)


async def test_an_error_event_says_what_failed_and_whether_to_retry() -> None:
    client = await Script(DependencyUnavailable("the engine died")).play()
    assert client.events == [
        ("error", {"code": "dependency_unavailable", "message": "the engine died", "retryable": True})
    ]


async def test_the_text_of_an_unexpected_exception_is_hidden_from_the_client() -> None:
    client = await Script(ValueError("secret")).play()
    assert b"secret" not in client.body


@pytest.mark.parametrize("last", [DONE, ("error", {"code": "timeout", "message": "x", "retryable": True})])
async def test_nothing_follows_the_last_event(last: Event) -> None:
    script = Script(last, TOKEN, DONE, ValueError("late"))
    client = await script.play()
    assert client.events == [last]
    assert script.cleaned


async def test_a_silent_stream_sends_comments() -> None:
    client = await Script(0.15, DONE).play(keep_alive_s=0.02)
    assert client.body.startswith(b": keep-alive\n\n")
    assert 2 <= client.body.count(b": keep-alive") <= 8
    assert client.names == ["done"]


async def test_a_busy_stream_sends_no_comments() -> None:
    client = await Script(*(TOKEN, 0.005) * 16, DONE).play(keep_alive_s=0.07)
    assert b"keep-alive" not in client.body


async def test_no_comment_follows_the_end() -> None:
    client = await Script(DONE).play(keep_alive_s=0.01)
    sent = len(client.messages)
    await asyncio.sleep(0.04)
    assert len(client.messages) == sent


async def test_the_head_is_sent_before_the_first_event() -> None:
    """docs/bentoml_issues.md#b5: a disconnect is noticed everywhere only once the stream is open."""
    head_sent = asyncio.Event()

    async def on_message(message: Message) -> None:
        head_sent.set()

    client = Client(on_message)
    task = asyncio.create_task(Script(30.0).play(client))
    await asyncio.wait_for(head_sent.wait(), 30)
    assert [message["type"] for message in client.messages] == ["http.response.start"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_when_sending(script: Script, number: int) -> None:
    """Run the stream and cancel it while message `number` is being sent."""
    blocked = asyncio.Event()
    client = Client()

    async def block(message: Message) -> None:
        if len(client.messages) > number:
            blocked.set()
            await asyncio.Event().wait()

    client._on_message = block
    task = asyncio.create_task(script.play(client))
    await asyncio.wait_for(blocked.wait(), 30)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_the_source_is_closed_when_the_client_disconnects(number: int) -> None:
    """docs/bentoml_issues.md#b5: even if no event was read and the generator was never started."""
    script = Script(TOKEN, TOKEN, DONE)
    await cancelled_when_sending(script, number)
    assert script.closed == 1
    assert script.cleaned == (number > 0)


async def test_the_source_is_closed_when_sending_fails() -> None:
    async def broken(message: Message) -> None:
        raise OSError("gone")

    script = Script(TOKEN, DONE)
    with pytest.raises(OSError, match="gone"):
        await script.play(Client(broken))
    assert script.closed == 1


async def test_a_background_task_runs_after_the_last_byte() -> None:
    ended_before: list[bool] = []
    client = Client()
    stream = Script(DONE).stream()

    async def background() -> None:
        ended_before.append(client.ended)

    stream.background = background  # type: ignore[assignment]
    await stream({"type": "http"}, client.receive, client.send)
    assert ended_before == [True]


class Source:
    """A source of events. Entering it waits for `accepts` if given, and raises `refusal` if given."""

    def __init__(self, accepts: asyncio.Event | None = None, refusal: RagError | None = None) -> None:
        self.accepts = accepts
        self.refusal = refusal
        self.open = 0

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[AsyncGenerator[Event, None]]:
        self.open += 1
        try:
            if self.accepts is not None:
                await self.accepts.wait()
            if self.refusal is not None:
                raise self.refusal
            yield Script(TOKEN, DONE).events()
        finally:
            self.open -= 1

    async def stream(self) -> EventStream:
        return await EventStream.open(self.enter(), lambda events: events, keep_alive_s=5, timeout_s=5)


async def test_a_source_is_entered_before_the_response_and_exited_after_it() -> None:
    source, client = Source(), Client()
    stream = await source.stream()
    assert source.open == 1
    await stream({"type": "http"}, client.receive, client.send)
    assert (client.events, source.open) == ([TOKEN, DONE], 0)


async def test_a_source_that_fails_on_entering_raises_before_the_response() -> None:
    source = Source(refusal=DependencyUnavailable("the engine is dead"))
    with pytest.raises(DependencyUnavailable, match="the engine is dead"):
        await source.stream()
    assert source.open == 0


async def test_cancelling_while_a_source_is_being_entered_cancels_entering() -> None:
    source = Source(accepts=asyncio.Event())
    task = asyncio.create_task(source.stream())
    await asyncio.sleep(0)
    assert source.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.open == 0


async def test_a_client_that_disconnects_before_the_first_event_closes_the_source() -> None:
    source = Source()

    async def disconnected(message: Message) -> None:
        raise OSError("the client has disconnected")

    stream = await source.stream()
    with pytest.raises(OSError, match="the client has disconnected"):
        await stream({"type": "http"}, Client().receive, Client(disconnected).send)
    assert source.open == 0
