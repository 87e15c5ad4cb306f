"""What the LLM service answers."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rag.http.event_stream import EventStream
from rag.http.generate_wire import WriteRequest
from rag.http.request_id import current_request_id
from rag.http.text_stream import collected, text_events
from rag.ports import Generator


class LlmApi:
    def __init__(self, generator: Generator, *, keep_alive_s: float, timeout_s: float) -> None:
        self._generator = generator
        self._keep_alive_s = keep_alive_s
        self._timeout_s = timeout_s

    async def generate(self, request: WriteRequest) -> Response:
        prompt, sampling, request_id = request.model_input(), request.sampling(), current_request_id.get()
        pieces = await self._generator.generate(prompt, sampling, request_id, model=request.model or "")
        if not request.stream:
            return JSONResponse(await collected(pieces))
        return EventStream(
            text_events(pieces), close=pieces.aclose, keep_alive_s=self._keep_alive_s, timeout_s=self._timeout_s
        )
