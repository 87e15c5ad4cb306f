"""Server-sent events. Every stream ends with a last event or with an error (docs/bentoml_issues.md#b3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rag.errors import DeadlineExceeded, InternalError, RagError
from rag.http.error_table import error_event
from rag.http.streaming.sse import format_event
from rag.types import JsonObject

logger = logging.getLogger("rag.stream")

Event = tuple[str, JsonObject]


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a stream looks like on the wire."""

    write: Callable[[str, JsonObject], bytes]
    last: tuple[str, ...]
    """Names of the events after which nothing comes."""
    failure: Callable[[RagError], Event]
    """The last event of a stream that failed."""


NATIVE = StreamFormat(format_event, ("done", "error"), lambda error: ("error", error_event(error)))


class EventStream(Response):
    """Sends events as they come, comments while there are none, and one last event: the form says which.

    The head is sent at once, before the first event: only then do clients and proxies know that
    the stream is open, and is their leaving noticed everywhere. `close` is called at the end, also
    when not one event was taken.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[Event, None],
        *,
        keep_alive_s: float,
        timeout_s: float,
        close: Callable[[], Awaitable[None]] | None = None,
        form: StreamFormat = NATIVE,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._events = events
        self._close = close
        self._form = form
        self._keep_alive_s = keep_alive_s
        self._timeout_s = timeout_s
        self._last_sent = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        beat = asyncio.ensure_future(self._beat(send))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with contextlib.aclosing(self._guarded()) as events:
                async for name, data in events:
                    await self._send(send, self._form.write(name, data))
        finally:
            beat.cancel()
            if self._close is not None:
                await self._close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()

    async def _send(self, send: Send, block: bytes) -> None:
        self._last_sent = time.monotonic()
        await send({"type": "http.response.body", "body": block, "more_body": True})

    async def _beat(self, send: Send) -> None:
        self._last_sent = time.monotonic()
        while True:
            await asyncio.sleep(self._last_sent + self._keep_alive_s - time.monotonic())
            if time.monotonic() - self._last_sent >= self._keep_alive_s:
                await self._send(send, b": keep-alive\n\n")

    async def _guarded(self) -> AsyncGenerator[Event, None]:
        """The events up to the first last one; whatever goes wrong becomes that last event."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with contextlib.aclosing(self._events) as events:
                while (event := await self._next(events, deadline)) is not None:
                    yield event
                    if event[0] in self._form.last:
                        return
            error: RagError = InternalError("the stream ended before its answer was complete")
        except TimeoutError:
            error = DeadlineExceeded(f"the answer was not complete within {self._timeout_s:g} s")
        except RagError as cause:
            error = cause
        except Exception:
            logger.exception("a stream failed")
            error = InternalError("an unexpected error ended the stream; the log has it under this request id")
        yield self._form.failure(error)

    async def _next(self, events: AsyncGenerator[Event, None], deadline: float) -> Event | None:
        async with asyncio.timeout_at(deadline):
            return await anext(events, None)
