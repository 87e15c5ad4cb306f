"""What the LLM service answers."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rag.errors import Forbidden
from rag.http.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.middleware.request_id import current_request_id
from rag.http.native.generate_wire import WriteRequest
from rag.http.streaming.event_stream import EventStream
from rag.http.streaming.text_stream import collected, text_events
from rag.ports import Adapters, Generator


class LlmApi:
    """Args:
    adapters: Of the language model; None: it is another server's, which has its own way to load them.
    """

    def __init__(
        self, generator: Generator, *, adapters: Adapters | None = None, keep_alive_s: float, timeout_s: float
    ) -> None:
        self._generator = generator
        self._adapters = adapters
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

    async def load_adapter(self, request: LoadAdapterRequest) -> Response:
        await self._loadable().load(request.lora_name, request.lora_path, replace=request.load_inplace)
        return JSONResponse({"adapter": request.lora_name})

    async def unload_adapter(self, request: UnloadAdapterRequest) -> Response:
        await self._loadable().unload(request.lora_name)
        return JSONResponse({"adapter": request.lora_name})

    def _loadable(self) -> Adapters:
        if self._adapters is None:
            raise Forbidden("adapters are not loaded here: the language model is another server's (RAG_LLM__URL)")
        return self._adapters
