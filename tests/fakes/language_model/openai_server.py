"""An OpenAI-compatible server with a fake language model. It can misbehave as real servers do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from rag.errors import ContextLengthExceeded, InvalidRequest, RagError
from rag.llm.template_values import EFFORT
from rag.ports import TokenStream
from rag.types import Chat, JsonObject, ModelInput, ReasoningDelta, StreamEnd, StreamItem, TextDelta, TokenLogprob
from tests.fakes.language_model.generator import FakeGenerator

Trouble = Literal[
    "breaks_off", "ends_early", "hangs_midway", "error_midway", "garbage_midway", "never_answers", "slow_head",
    "no_usage", "no_done", "stays_open", "refuses_in_stream", "json_instead", "no_stream",
]  # fmt: skip
_TOOLS = {"tools", "tool_choice", "chat_template_kwargs", EFFORT}
_WIRE = {"model", "messages", "prompt", "stream", "stream_options", "cache_salt", *_TOOLS}


class FakeOpenAiServer:
    """Serves `/v1`.

    Args:
        generator: The language model.
        owned_by: `vllm`: it behaves like vLLM's server, and accepts the same parameters.
        adapters: LoRA adapters that it lists.
        key: The API key that it requires.
    """

    def __init__(
        self,
        generator: FakeGenerator,
        *,
        models: Sequence[str] = ("there",),
        owned_by: str = "vllm",
        max_model_len: int | None = 8192,
        adapters: Sequence[str] = (),
        key: str = "",
    ) -> None:
        self.generator = generator
        self.models = list(models)
        self.owned_by = owned_by
        self.max_model_len = max_model_len
        self.adapters = list(adapters)
        self.key = key
        self.reasoning_name = "reasoning_content"
        """The name under which it sends what the model thinks."""
        self.trouble: Trouble | None = None
        self.answer: Response | None = None
        """The response to every request for text, if set."""
        self.listing: Response | None = None
        """The response of `/v1/models`, if set."""
        self.refused: Mapping[str, JsonObject] = {}
        """Unsupported fields, with the body of the error response."""
        self.bodies: list[JsonObject] = []
        self.headers: list[Mapping[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.list_models),
                Route("/v1/chat/completions", self.write, methods=["POST"]),
                Route("/v1/completions", self.write, methods=["POST"]),
            ]
        )

    async def list_models(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if (refusal := self._wrong_key(request)) is not None:
            return refusal
        return self.listing or JSONResponse({"object": "list", "data": self._entries()})

    def _entries(self) -> list[JsonObject]:
        entry: JsonObject = {"object": "model", "created": 1, "owned_by": self.owned_by}
        length = {"max_model_len": self.max_model_len} if self.max_model_len else {}
        base = [{**entry, **length, "id": model, "parent": None} for model in self.models]
        return [*base, *({**entry, "id": adapter, "parent": self.models[0]} for adapter in self.adapters)]

    async def write(self, request: Request) -> Response:
        body = await request.json()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if (refusal := self._wrong_key(request)) is not None:
            return refusal
        if self.answer is not None:
            return self.answer
        if unknown := next((name for name in body if name in self.refused), None):
            return JSONResponse(self.refused[unknown], status_code=400)
        if body["model"] not in (*self.models, *self.adapters):
            return _error(404, f"The model `{body['model']}` does not exist.", "model")
        return await self._written(body, is_chat="messages" in body)

    async def _written(self, body: JsonObject, *, is_chat: bool) -> Response:
        if self.trouble == "never_answers":
            await asyncio.sleep(30)
        if self.trouble == "slow_head":
            await asyncio.sleep(0.4)
        model = "" if body["model"] in self.models else body["model"]
        stack = contextlib.AsyncExitStack()
        request = self.generator.generate(_prompt(body), _sampling(body), "there", model=model)
        try:
            stream = await stack.enter_async_context(request)
        except ContextLengthExceeded as error:
            return _error(400, _too_long(error), None)
        except InvalidRequest as error:
            if self.trouble == "refuses_in_stream":
                return StreamingResponse(_one_error(error), media_type="text/event-stream")
            return _error(400, error.message, error.param)
        if self.trouble == "json_instead":
            await stack.aclose()
            return JSONResponse({"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]})
        return StreamingResponse(self._stream(stack, stream, is_chat), media_type="text/event-stream")

    async def _stream(
        self, stack: contextlib.AsyncExitStack, stream: TokenStream, is_chat: bool
    ) -> AsyncIterator[bytes]:
        async with stack:
            if is_chat:
                yield _data(_chunk({"delta": {"role": "assistant", "content": ""}}))
            try:
                async for position, delta in _numbered(stream):
                    if isinstance(delta, StreamEnd):
                        async for line in self._end(delta, is_chat):
                            yield line
                        return
                    yield _data(_chunk(_choice(delta, is_chat, self.reasoning_name)))
                    if position == 0 and self.trouble is not None:
                        async for line in self._midway():
                            yield line
                        if self.trouble == "ends_early":
                            return
            except RagError as error:
                yield _data(_error_body(500, error.message, None))

    async def _midway(self) -> AsyncIterator[bytes]:
        if self.trouble == "breaks_off":
            raise ConnectionResetError("as a process that is killed")
        if self.trouble == "hangs_midway":
            await asyncio.sleep(30)
        if self.trouble == "error_midway":
            yield _data(_error_body(500, "EngineCore encountered an issue.", None))
        if self.trouble == "garbage_midway":
            yield b"data: {not json\n\n"

    async def _end(self, last: StreamEnd, is_chat: bool) -> AsyncIterator[bytes]:
        for index, end in enumerate(last.all_ends()):
            reason = {"finish_reason": end.finish_reason, "stop_reason": end.stop_reason}
            yield _data(_chunk({"index": index, **({"delta": {}} if is_chat else {"text": ""}), **reason}))
        if self.trouble == "stays_open":
            await asyncio.sleep(30)
        usage = last.usage
        if self.trouble != "no_usage":
            told = {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": 3} if is_chat else None,
                "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens} if is_chat else None,
            }
            yield _data({"object": "chunk", "choices": [], "usage": told})
        if self.trouble != "no_done":
            yield b"data: [DONE]\n\n"

    def _wrong_key(self, request: Request) -> Response | None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, f"Incorrect API key provided: {request.headers.get('authorization')}", None)
        return None


def garbage() -> Response:
    return PlainTextResponse("<html>It works!</html>", media_type="text/html")


async def _numbered(stream: TokenStream) -> AsyncIterator[tuple[int, StreamItem]]:
    position = 0
    async for delta in stream:
        yield position, delta
        position += 1


async def _one_error(error: RagError) -> AsyncIterator[bytes]:
    yield _data(_error_body(400, error.message, error.param))
    yield b"data: [DONE]\n\n"


def _prompt(body: JsonObject) -> ModelInput:
    if "messages" not in body:
        prompt: ModelInput = body["prompt"]
        return prompt
    calls = body.get("tool_choice") == "auto"
    values = {name: body[name] for name in (EFFORT,) if name in body} | body.get("chat_template_kwargs", {})
    return Chat(tuple(body["messages"]), tuple(body.get("tools", ())), values, calls_tools=calls)


def _sampling(body: JsonObject) -> JsonObject:
    """The sampling parameters, under vLLM's names."""
    sampling = {name: value for name, value in body.items() if name not in _WIRE}
    if "messages" in body and sampling.pop("logprobs", False):
        sampling["logprobs"] = sampling.pop("top_logprobs", 0)
    if "max_completion_tokens" in sampling:
        sampling["max_tokens"] = sampling.pop("max_completion_tokens")
    if (form := sampling.pop("response_format", None)) is not None:
        as_json = {"json_object": True} if form["type"] == "json_object" else {"json": form["json_schema"]["schema"]}
        sampling["structured_outputs"] = as_json
    return sampling


def _choice(delta: TextDelta | ReasoningDelta, is_chat: bool, reasoning_name: str) -> JsonObject:
    index: JsonObject = {"index": delta.index, "finish_reason": None}
    if isinstance(delta, ReasoningDelta):
        return {**index, "delta": {"content": None, reasoning_name: delta.text}}
    if not is_chat:
        return {**index, "text": delta.text, "logprobs": _lists(delta.logprobs) if delta.logprobs else None}
    scores = {"content": [_scored(one) for one in delta.logprobs]} if delta.logprobs else None
    calls = {"tool_calls": list(delta.tool_calls)} if delta.tool_calls else {}
    return {**index, "delta": {"content": delta.text, **calls}, "logprobs": scores}


def _scored(one: TokenLogprob) -> JsonObject:
    return {"token": one.token, "logprob": one.logprob, "top_logprobs": [_scored(other) for other in one.top]}


def _lists(scores: Sequence[TokenLogprob]) -> JsonObject:
    """Logprobs as in vLLM's completions: the token itself is always among the most likely ones."""
    return {
        "text_offset": [0] * len(scores),
        "tokens": [one.token for one in scores],
        "token_logprobs": [one.logprob for one in scores],
        "top_logprobs": [{one.token: one.logprob} | {o.token: o.logprob for o in one.top} for one in scores],
    }


def _chunk(choice: JsonObject) -> JsonObject:
    return {"id": "1", "object": "chunk", "created": 1, "model": "there", "choices": [{"index": 0, **choice}]}


def _data(value: Any) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _too_long(error: ContextLengthExceeded) -> str:
    asked = " However, you requested 9999 output tokens" if error.param == "max_tokens" else " However, your prompt"
    return f"This model's maximum context length is 8192 tokens.{asked} is too long."


def _error_body(status: int, message: str, param: str | None) -> JsonObject:
    return {"error": {"message": message, "type": "BadRequestError", "param": param, "code": status}}


def _error(status: int, message: str, param: str | None) -> Response:
    return JSONResponse(_error_body(status, message, param), status_code=status)
