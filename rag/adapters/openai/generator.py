"""A language model on an OpenAI-compatible server as a `rag.ports.Generator`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from urllib.parse import urlsplit

from openai import AsyncStream, BadRequestError, UnprocessableEntityError

from rag.adapters.openai.client import OpenAiClient
from rag.adapters.openai.errors import OpenAiRequest, ServerErrors
from rag.adapters.openai.models import OpenAiModels, ServerCapabilities
from rag.adapters.openai.sampling import OPENAI_NAMES, openai_fields
from rag.adapters.openai.stream import CompletionReader
from rag.auth.caller import prefix_cache_salt
from rag.config import LLMSettings
from rag.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound
from rag.llm.chat_escaper import ChatEscaper
from rag.llm.greedy_copies import copies_wanted, repeat_text
from rag.llm.images import ESTIMATED_TOKENS, as_texts, image_urls
from rag.llm.template_values import EFFORT, NO_THINKING
from rag.ports import TokenStream
from rag.types import (
    REASONING,
    Chat,
    Facts,
    Insertion,
    JsonMapping,
    JsonObject,
    ModelInput,
    RenderedChat,
    SamplingParameters,
    StreamItem,
)

_CONTEXT_TOKENS = 8192
"""Assumed if the server does not report its context length."""
_MAX_SEQUENCES = 256
"""Texts requested of the server at the same time, unless the settings say otherwise."""
_MIN_MAX_TOKENS = 16
"""Sent as `max_tokens` if the estimated prompt leaves no room; the server counts exactly and decides."""
_FIRST_CHUNK_S = 0.25
"""How long to wait for the first object of a stream: vLLM's server opens streams before it validates some parameters,
and sends its refusal inside the stream."""


class OpenAiGenerator:
    """The alternative to `VllmEngine`. `start` returns at once; `facts` raises until the server answers.

    Args:
        settings: The settings section `llm`, with its `url`.
        count: Estimates the number of tokens of a text.
        control_texts: Texts in conversations that the server's tokenizer may take for control tokens, except `<|...|>`.
        own_sampling: Default parameters from the settings; those that the server does not support are not sent.
    """

    def __init__(
        self,
        settings: LLMSettings,
        *,
        count: Callable[[str], int],
        control_texts: Collection[str] = (),
        own_sampling: SamplingParameters | None = None,
    ) -> None:
        url, key = settings.url or "", settings.api_key.get_secret_value().strip() if settings.api_key else ""
        self._settings = settings
        self._count = count
        self._escaper = ChatEscaper(control_texts)
        self._own_sampling = own_sampling or {}
        self._errors = ServerErrors(urlsplit(url).hostname or url, settings.timeout_s, key)
        self._client = OpenAiClient(url, key, settings.timeout_s)
        self._models = OpenAiModels(self._client, self._errors, settings.model)
        self._quirks = _ServerQuirks()
        self._running = 0

    async def start(self) -> None:
        """Start asking the server for its models. Needs a running event loop."""
        self._models.start()

    async def stop(self) -> None:
        """Close all connections."""
        self._models.stop()
        await self._client.close()

    def facts(self) -> Facts:
        """What is known of the server when it answers.

        Raises:
            Starting: the server has not answered yet.
            DependencyUnavailable: it does not answer, or lacks the configured model.
        """
        self._models.check()
        served = self._models.served()
        return {
            "model": served.model,
            "context_tokens": self._context_tokens(served) or _CONTEXT_TOKENS,
            "running": self._running,
            "max_sequences": self._settings.max_sequences or _MAX_SEQUENCES,
            "adapters": sorted(served.adapters),
            "images": bool(self._settings.images),
        }

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        """See `rag.ports.Generator`. Whether a server accepts token ids is known only from its response."""
        request = self._request(prompt, sampling, await self._served(model), model)
        reader = CompletionReader(
            request.body.get("n", 1),
            sampling.get("logprobs") or 0,
            lambda: self._prompt_tokens(prompt),
        )
        self._running += 1
        try:
            async with contextlib.AsyncExitStack() as stack:
                with self._errors.translated(request):
                    http_stream = await self._open(request, f"{request_id}-{secrets.token_hex(4)}")
                    chunks = await stack.enter_async_context(_accepted(http_stream))
                deltas = self._deltas(request, reader.deltas(chunks))
                stream = await stack.enter_async_context(contextlib.aclosing(deltas))
                if request.copies > 1:
                    stream = await stack.enter_async_context(contextlib.aclosing(repeat_text(stream, request.copies)))
                yield stream
        finally:
            self._running -= 1

    async def _served(self, adapter: str) -> ServerCapabilities:
        served = self._models.served()
        if adapter and adapter not in served.adapters:
            await self._models.ask()  # the adapter may be new
            served = self._models.served()
        if adapter and adapter not in served.adapters:
            raise ModelNotFound(f"model: the language model's server has no adapter {adapter!r}", param="model")
        return served

    def _request(
        self, prompt: ModelInput, sampling: SamplingParameters, served: ServerCapabilities, adapter: str
    ) -> OpenAiRequest:
        if isinstance(prompt, RenderedChat):
            prompt = prompt.token_ids
        if isinstance(prompt, Insertion):
            refusal = "suffix: is not supported with a language model on another server (RAG_LLM__URL)"
            raise InvalidRequest(refusal, param="suffix")
        if not isinstance(prompt, Chat) and not prompt:
            raise InvalidRequest("prompt: has no tokens", param="prompt")
        chosen = self._chosen(prompt, sampling, served)
        copies = copies_wanted(chosen)
        fields = openai_fields(chosen, is_chat=isinstance(prompt, Chat), is_vllm=served.is_vllm)
        body = {
            "model": adapter or served.model,
            **self._prompt_fields(prompt, is_vllm=served.is_vllm),
            **fields,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if served.is_vllm and (salt := prefix_cache_salt()) is not None:
            body["cache_salt"] = salt
        path = "/chat/completions" if isinstance(prompt, Chat) else "/completions"
        return OpenAiRequest(path, body, adapter, copies)

    def _prompt_fields(self, prompt: str | Sequence[int] | Chat, *, is_vllm: bool) -> JsonObject:
        if not isinstance(prompt, Chat):
            return {"prompt": prompt if isinstance(prompt, str) else list(prompt)}
        messages = [self._escaper.turn(message) for message in prompt.messages]
        if not is_vllm:  # DeepSeek's server, for one, refuses what it has itself sent
            messages = [_without_reasoning(message) for message in messages]
        fields: JsonObject = {"messages": messages, **_template_fields(prompt, is_vllm=is_vllm)}
        if prompt.tools:
            tools = [self._escaper.tool(tool) for tool in prompt.tools]
            fields |= {"tools": tools, "tool_choice": "auto" if prompt.calls_tools else "none"}
        return fields

    def _chosen(self, prompt: ModelInput, sampling: SamplingParameters, served: ServerCapabilities) -> JsonObject:
        """The parameters with our defaults, without those defaults that the server does not support."""
        context_tokens = self._context_tokens(served)
        chosen = {"temperature": self._settings.temperature} | {
            name: value
            for name, value in sampling.items()
            if served.is_vllm or name in OPENAI_NAMES or value != self._own_sampling.get(name)
        }
        if chosen.get("max_tokens") is None:
            chosen["max_tokens"] = self._default_max_tokens(prompt, context_tokens)
        elif context_tokens is not None and chosen["max_tokens"] >= context_tokens:
            message = f"max_tokens: {chosen['max_tokens']}, but the model's context holds {context_tokens}"
            raise ContextLengthExceeded(message, param="max_tokens")
        return chosen

    def _default_max_tokens(self, prompt: ModelInput, context_tokens: int | None) -> int | None:
        """The configured limit, or what fits into the context; None lets the server decide."""
        wanted = self._settings.max_tokens
        room = wanted if context_tokens is None else context_tokens - self._prompt_tokens(prompt)
        if room >= wanted:
            return wanted
        return None if isinstance(prompt, Chat) else max(_MIN_MAX_TOKENS, room)

    def _context_tokens(self, served: ServerCapabilities) -> int | None:
        return self._settings.context_tokens or served.context_tokens

    def _prompt_tokens(self, prompt: ModelInput) -> int:
        """Exact for token ids, otherwise an estimate."""
        if isinstance(prompt, Chat):
            texts = self._count(json.dumps([*as_texts(prompt.messages), *prompt.tools], ensure_ascii=False))
            return texts + ESTIMATED_TOKENS * len(image_urls(prompt.messages))
        if isinstance(prompt, RenderedChat):
            return len(prompt.token_ids)
        if isinstance(prompt, Insertion):
            return self._count(prompt.prefix + prompt.suffix)
        return self._count(prompt) if isinstance(prompt, str) else len(prompt)

    async def _deltas(
        self, request: OpenAiRequest, deltas: AsyncGenerator[StreamItem, None]
    ) -> AsyncGenerator[StreamItem, None]:
        """`deltas`, with the errors of reading them translated."""
        with self._errors.translated(request):
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    yield delta

    async def _open(self, request: OpenAiRequest, request_id: str) -> AsyncStream[object]:
        while True:
            body = self._quirks.body(request.body)
            try:
                return await self._client.open_stream(request.path, body, request_id)
            except (BadRequestError, UnprocessableEntityError) as error:
                if not self._quirks.learn(str(error.body), body):
                    raise


class _ServerQuirks:
    """Remembers which fields the server refused and how to do without them."""

    def __init__(self) -> None:
        self._new_max_tokens = False
        """OpenAI's reasoning models accept only `max_completion_tokens`, most other servers only `max_tokens`."""
        self._no_stream_options = False

    def body(self, body: JsonMapping) -> JsonObject:
        fields = dict(body)
        if self._new_max_tokens and "max_tokens" in fields and "messages" in fields:
            fields["max_completion_tokens"] = fields.pop("max_tokens")
        if self._no_stream_options:
            fields.pop("stream_options", None)
        return fields

    def learn(self, refusal: str, body: JsonMapping) -> bool:
        """Whether to send the request again, in another form."""
        if "max_tokens" in body and "messages" in body and _asks_for_new_name(refusal):
            self._new_max_tokens = True
            return True
        if "stream_options" in body and "stream_options" in refusal:
            self._no_stream_options = True
            return True
        return False


def _asks_for_new_name(refusal: str) -> bool:
    return "max_completion_tokens" in refusal and ("unsupported" in refusal.lower() or "not supported" in refusal)


def _template_fields(prompt: Chat, *, is_vllm: bool) -> JsonObject:
    """`reasoning_effort` is a field of OpenAI's API. Only vLLM's server is known to take other variables."""
    values = dict(prompt.template_values)
    fields: JsonObject = {EFFORT: values.pop(EFFORT)} if EFFORT in values else {}
    if not prompt.thinks:
        values = {name: value for name, value in values.items() if name not in NO_THINKING}
        values |= NO_THINKING if is_vllm else {}
    return {**fields, **({"chat_template_kwargs": values} if values else {})}


def _without_reasoning(message: JsonObject) -> JsonObject:
    return {name: value for name, value in message.items() if name != REASONING}


@contextlib.asynccontextmanager
async def _accepted(stream: AsyncStream[object]) -> AsyncIterator[AsyncIterator[object]]:
    """The stream's objects, once the first has arrived or `_FIRST_CHUNK_S` have passed.

    Leaving the context closes the connection, which stops the server's work.
    """
    first = asyncio.ensure_future(anext(stream, None))
    try:
        await asyncio.wait({first}, timeout=_FIRST_CHUNK_S)
        if first.done():
            first.result()
        async with contextlib.aclosing(_chunks(first, stream)) as chunks:
            yield chunks
    finally:
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await first
        with contextlib.suppress(Exception):
            await stream.close()


async def _chunks(first: asyncio.Future[object | None], rest: AsyncStream[object]) -> AsyncGenerator[object, None]:
    if (chunk := await first) is not None:
        yield chunk
        async for chunk in rest:
            yield chunk
