"""The stream of a response in the background, from the events in the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from rag.errors import InvalidRequest, RagError
from rag.http.error_table import error_body
from rag.http.middleware.request_id import current_request_id
from rag.http.streaming.event_stream import Event, EventStream, StreamFormat
from rag.http.streaming.sse import format_event
from rag.http.v1.responses.output.padding import padded
from rag.records import DAY_S

if TYPE_CHECKING:
    from rag.library.answers.background import BackgroundRegistry, EventPage

_POLL_S = 0.2
_KEEP_ALIVE_S = 10.0
_FINAL = ("response.completed", "response.incomplete", "error")


async def kept_stream(
    registry: BackgroundRegistry, response_id: str, after: int | None, *, is_padded: bool = False
) -> EventStream:
    """The stored events of a response, and then new ones as they arrive.

    Args:
        after: Number of the event before the first one; None: all.

    Raises:
        NotFound: the caller has no such response.
        InvalidRequest: it has no such events.
    """
    stream = _KeptStream(registry, response_id, -1 if after is None else after)
    first = await stream.next_page()
    if first.is_last and not first.events:
        message = "starting_after: the response has ended, and has no event after this one"
        raise InvalidRequest(message, param="starting_after")
    form = StreamFormat(format_event, _FINAL, stream.failed)
    form = padded(form) if is_padded else form
    return EventStream(stream.events(first), keep_alive_s=_KEEP_ALIVE_S, timeout_s=DAY_S, form=form)


class _KeptStream:
    def __init__(self, registry: BackgroundRegistry, response_id: str, after: int) -> None:
        self._registry = registry
        self._id = response_id
        self._last = after

    async def next_page(self) -> EventPage:
        return await asyncio.to_thread(self._registry.events, self._id, self._last)

    async def events(self, page: EventPage) -> AsyncGenerator[Event, None]:
        while True:
            for name, body in page.events:
                self._last = body["sequence_number"]
                yield name, body
            if page.is_last:
                return
            if not page.events:
                await asyncio.sleep(_POLL_S)
            page = await self.next_page()

    def failed(self, error: RagError) -> Event:
        """Only the stream has failed, not necessarily the response: the client can continue after its last event."""
        fields = {"code": error.code, "message": error.message, "param": error.param}
        last = {"type": "error", "sequence_number": max(self._last, 0), **fields}
        return "error", last | error_body(error, current_request_id.get())
