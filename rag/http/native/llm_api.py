"""The API of the LLM service."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from rag.errors import Forbidden
from rag.http.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.middleware.request_id import current_request_id
from rag.http.native.generate_wire import WriteRequest
from rag.http.native.measured_stream import measured
from rag.http.streaming.event_stream import EventStream, StreamLimits
from rag.http.streaming.text_stream import tokens_to_wire, whole_text
from rag.ports import Adapters, Generator


class LlmApi:
    """Args:
    adapters: None if another server runs the language model: adapters are then loaded there.
    """

    def __init__(
        self, generator: Generator, *, adapters: Adapters | None = None, keep_alive_s: float, timeout_s: float
    ) -> None:
        self._generator = generator
        self._adapters = adapters
        self._stream_options = StreamLimits(keep_alive_s=keep_alive_s, timeout_s=timeout_s)

    async def generate(self, request: WriteRequest) -> Response:
        prompt, sampling, request_id = request.model_input(), request.sampling(), current_request_id.get()
        source = measured(self._generator.generate(prompt, sampling, request_id, model=request.model or ""))
        if request.stream:
            return await EventStream.open(source, tokens_to_wire, **self._stream_options)
        async with source as stream:
            return JSONResponse(await whole_text(stream))

    async def load_adapter(self, request: LoadAdapterRequest) -> Response:
        await self._loadable().load(request.lora_name, request.lora_path, replace=request.load_inplace)
        return JSONResponse({"adapter": request.lora_name})

    async def unload_adapter(self, request: UnloadAdapterRequest) -> Response:
        await self._loadable().unload(request.lora_name)
        return JSONResponse({"adapter": request.lora_name})

    def _loadable(self) -> Adapters:
        if self._adapters is None:
            raise Forbidden(
                "adapters cannot be loaded here, because RAG_LLM__URL names another server; load them there"
            )
        return self._adapters
