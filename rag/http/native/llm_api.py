"""The API of the LLM service."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from starlette.responses import JSONResponse, Response

from rag.errors import Forbidden, InvalidRequest
from rag.http.bodies.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.middleware.request_id import current_request_id
from rag.http.native.generate_wire import WriteRequest
from rag.http.native.measured_stream import measured
from rag.http.streaming.event_stream import EventStream, StreamLimits
from rag.http.streaming.text_stream import tokens_to_wire, whole_text
from rag.llm.images import as_texts
from rag.ports import Adapters, Generator
from rag.telemetry import tracing
from rag.types import Chat, Facts, ModelInput, SamplingParameters


class LlmApi:
    """The endpoints of the LLM service.

    Args:
        adapters: None if another server runs the language model: adapters are then loaded there.
        allowed_extra_args: Names that `extra_args` of a request may have.
        facts: Returns what the generator reports when it is ready.
        provider: What writes the text, for traces.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        adapters: Adapters | None = None,
        keep_alive_s: float,
        timeout_s: float,
        allowed_extra_args: Collection[str] = (),
        facts: Callable[[], Facts] = dict,
        provider: str = "vllm",
    ) -> None:
        self._generator = generator
        self._adapters = adapters
        self._allowed_extra_args = allowed_extra_args
        self.facts = facts
        self._provider = provider
        self._stream_options = StreamLimits(keep_alive_s=keep_alive_s, timeout_s=timeout_s)

    async def generate(self, request: WriteRequest) -> Response:
        prompt, sampling, request_id = request.model_input(), request.sampling(), current_request_id.get()
        self._check_extra_args(sampling)
        generation = self._generator.generate(prompt, sampling, request_id, model=request.model or "")
        source = measured(generation, self._chat_span(prompt, sampling, request.model))
        if request.stream:
            return await EventStream.open(source, tokens_to_wire, **self._stream_options)
        async with source as stream:
            return JSONResponse(await whole_text(stream))

    def _check_extra_args(self, sampling: SamplingParameters) -> None:
        """The engine and its plug-ins read some that are not for clients, such as `kv_transfer_params`."""
        for name in sampling.get("extra_args") or {}:
            if name not in self._allowed_extra_args:
                message = f"extra_args: {name[:80]!r} is not allowed; RAG_LLM__ALLOWED_EXTRA_ARGS allows more names"
                raise InvalidRequest(message, param="extra_args")

    def _chat_span(self, prompt: ModelInput, sampling: SamplingParameters, adapter: str | None) -> tracing.Span:
        if not tracing.is_on():
            return tracing.Span()
        names = {tracing.MAX_TOKENS: "max_tokens", tracing.TEMPERATURE: "temperature"}
        chosen = {attribute: sampling[name] for attribute, name in names.items() if sampling.get(name) is not None}
        span = tracing.start_chat(adapter or str(self.facts().get("model", "")), self._provider, chosen)
        if span.takes_texts and (messages := _input_messages(prompt)):
            span.set({tracing.INPUT_MESSAGES: messages})
        return span

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


def _input_messages(prompt: ModelInput) -> str:
    """Empty for a prompt of token ids."""
    if isinstance(prompt, Chat):
        return json.dumps(as_texts(prompt.messages), ensure_ascii=False)
    return tracing.message("user", prompt) if isinstance(prompt, str) else ""
