"""Server-sent event responses that always end with exactly one final event, which may be an error.

Otherwise an exception after the first byte would look like the end of a complete response
(docs/bentoml_issues.md#b3).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Self, TypeAlias, TypedDict, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rag.errors import DeadlineExceeded, InternalError, RagError
from rag.http.error_table import error_event
from rag.http.failures import logged_error
from rag.http.middleware.request_metrics import count_stream_error
from rag.http.streaming.sse import KEEP_ALIVE, format_event
from rag.types import JsonObject

Event: TypeAlias = tuple[str, JsonObject]
"""Name and data."""
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """How events are written."""

    write: Callable[[str, JsonObject], bytes]
    final: tuple[str, ...]
    """Names of the events that end a stream."""
    failure: Callable[[RagError], Event]
    """The final event of a stream that failed."""


NATIVE = StreamFormat(format_event, ("done", "error"), lambda error: ("error", error_event(error)))


class StreamLimits(TypedDict):
    keep_alive_s: float
    """A comment is sent after this time without an event."""
    timeout_s: float
    """Time limit of the whole stream."""


class EventStream(Response):
    """A response that sends events as they arrive, and comments while there are none.

    The response headers are sent before the first event, because a disconnect can only be noticed once the response
    has started.

    Args:
        resources: Closed when the body has ended or the client has disconnected, even if no event was read.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[Event, None],
        *,
        keep_alive_s: float,
        timeout_s: float,
        resources: contextlib.AsyncExitStack | None = None,
        form: StreamFormat = NATIVE,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._events = events
        self._resources = resources or contextlib.AsyncExitStack()
        self._form = form
        self._keep_alive_s = keep_alive_s
        self._timeout_s = timeout_s
        self._last_sent = 0.0

    @classmethod
    async def open(
        cls,
        source: contextlib.AbstractAsyncContextManager[S],
        to_events: Callable[[S], AsyncGenerator[Event, None]],
        *,
        keep_alive_s: float,
        timeout_s: float,
        form: StreamFormat = NATIVE,
    ) -> Self:
        """A response that streams `source`, which is entered now and exited when the response ends.

        Raises what entering raises: nothing has been sent yet, so the error can still set the HTTP status.
        """
        async with contextlib.AsyncExitStack() as stack:
            events = to_events(await stack.enter_async_context(source))
            return cls(events, keep_alive_s=keep_alive_s, timeout_s=timeout_s, resources=stack.pop_all(), form=form)
        raise AssertionError("unreachable: the stack suppresses no exception")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._resources:
            keep_alive = asyncio.ensure_future(self._keep_alive(send))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async with contextlib.aclosing(self._guarded()) as events:
                    async for name, data in events:
                        await self._send(send, self._form.write(name, data))
            finally:
                keep_alive.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()

    async def _send(self, send: Send, block: bytes) -> None:
        self._last_sent = time.monotonic()
        await send({"type": "http.response.body", "body": block, "more_body": True})

    async def _keep_alive(self, send: Send) -> None:
        self._last_sent = time.monotonic()
        while True:
            await asyncio.sleep(self._last_sent + self._keep_alive_s - time.monotonic())
            if time.monotonic() - self._last_sent >= self._keep_alive_s:
                await self._send(send, KEEP_ALIVE)

    async def _guarded(self) -> AsyncGenerator[Event, None]:
        """The events up to the first final one. A failure becomes the final event."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with contextlib.aclosing(self._events) as events:
                while (event := await self._next(events, deadline)) is not None:
                    yield event
                    if event[0] in self._form.final:
                        return
            error: RagError = InternalError("the stream ended before its answer was complete")
        except TimeoutError:
            error = DeadlineExceeded(f"the answer was not complete within {self._timeout_s:g} s")
        except Exception as cause:
            error = logged_error(cause, "a stream failed")
        count_stream_error(error)
        yield self._form.failure(error)

    async def _next(self, events: AsyncGenerator[Event, None], deadline: float) -> Event | None:
        async with asyncio.timeout_at(deadline):
            return await anext(events, None)
