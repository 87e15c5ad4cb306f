from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import Any

from rag.errors import ContextLengthExceeded, DependencyUnavailable, InvalidRequest, ModelNotFound
from rag.http.native.generate_wire import GenerateRequest
from rag.llm.images import as_texts, image_urls
from rag.llm.template_values import template_variables
from rag.ports import TokenStream
from rag.types import (
    Chat,
    Insertion,
    JsonMapping,
    JsonObject,
    ModelInput,
    ReasoningDelta,
    RenderedChat,
    SamplingParameters,
    StreamEnd,
    StreamItem,
    TextDelta,
    TextEnd,
    TokenLogprob,
    Usage,
)
from tests.fakes.store.words import words as split_words

MAX_LOGPROBS = 20
IMAGE_TOKENS = 4


class FakeGenerator:
    """A language model that streams the words of `text`, one token each.

    Args:
        text: The text, or a function of prompt and sampling that returns it. A request is refused with what it raises.
        dies_after: Number of words after which it fails like a dead engine.
        stalls_after: Number of words after which it writes nothing more.
        accepts: It waits for this before it accepts a request.
        start: It waits for this before the first word.
        closes_badly: Whether closing the stream fails, like a connection that breaks at its end.
        context_tokens: Maximum of prompt and `max_tokens` together.
        adapters: Names of the known adapters; None: any name is known.
        tool_calls: Its function calls, if the conversation allows them, in OpenAI's format.
        reasoning: What it thinks before it answers a conversation, one token for each word.
    """

    def __init__(
        self,
        text: str | Callable[[Any, JsonMapping], str] = "the answer",
        *,
        dies_after: int | None = None,
        stalls_after: int | None = None,
        accepts: asyncio.Event | None = None,
        start: asyncio.Event | None = None,
        closes_badly: bool = False,
        context_tokens: int | None = None,
        adapters: Collection[str] | None = None,
        tool_calls: tuple[JsonObject, ...] = (),
        reasoning: str = "",
    ) -> None:
        self.text = text
        self.dies_after = dies_after
        self.stalls_after = stalls_after
        self.accepts = accepts
        self.start = start
        self.closes_badly = closes_badly
        self.context_tokens = context_tokens
        self.adapters = adapters
        self.tool_calls = tool_calls
        self.reasoning = reasoning
        self.running = 0
        self.cancelled = 0
        self.requests: list[tuple[Any, JsonMapping, str]] = []
        self.models: list[str] = []

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        if self.accepts is not None:
            await self.accepts.wait()
        self.requests.append((prompt, sampling, request_id))
        self.models.append(model)
        self._check(prompt, sampling, model)
        text = self.text if isinstance(self.text, str) else self.text(prompt, sampling)
        request = _Request()
        self.running += 1
        try:
            async with contextlib.aclosing(self._deltas(text, prompt, sampling, request)) as deltas:
                yield deltas
        finally:
            self.running -= 1
            self.cancelled += not request.has_ended
            if self.closes_badly:
                raise DependencyUnavailable("the connection was lost")

    def _check(self, prompt: ModelInput, sampling: SamplingParameters, model: str) -> None:
        if model and self.adapters is not None and model not in self.adapters:
            raise ModelNotFound(f"model: there is no model {model!r}", param="model")
        if not _tokens(prompt):
            raise InvalidRequest("prompt: is empty", param="prompt")
        GenerateRequest.parse({"prompt": "x", **sampling})
        if (sampling.get("logprobs") or 0) > MAX_LOGPROBS:
            raise InvalidRequest(f"logprobs: at most {MAX_LOGPROBS}", param="logprobs")
        _check_structure(sampling.get("structured_outputs") or {})
        if self.context_tokens is not None:
            room = self.context_tokens - _tokens(prompt)
            if room < max(1, sampling.get("max_tokens") or 1):
                param = "prompt" if room < 1 else "max_tokens"
                raise ContextLengthExceeded(f"{param}: too long", param=param)

    async def _deltas(
        self, whole: str, prompt: ModelInput, sampling: SamplingParameters, request: _Request
    ) -> AsyncGenerator[StreamItem, None]:
        if self.start is not None:
            await self.start.wait()
        calls = self.tool_calls if isinstance(prompt, Chat) and prompt.calls_tools else ()
        thought = self._thought(prompt, sampling)
        script = _script("" if calls else whole, _after(len(thought), sampling))
        texts = sampling.get("n") or 1
        for word in thought:
            await asyncio.sleep(0)
            for index in range(texts):
                yield ReasoningDelta(word, index)
        for position, text in enumerate(script.words):
            if position == self.dies_after:
                self._die(request)
            if position == self.stalls_after:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            for index in range(texts):
                yield TextDelta(text, index, _logprobs(text, sampling))
        if self.dies_after is not None:
            self._die(request)
        for number, call in enumerate(calls):
            yield TextDelta("", tool_calls=({"index": number, **call},))
        ends = (script.end,) * texts if texts > 1 or script.end.stop_reason else ()
        tokens = texts * (len(thought) + len(script.words))
        usage = Usage(_tokens(prompt), tokens, 0, texts * len(thought))
        request.has_ended = True
        yield StreamEnd(script.end.finish_reason, usage, ends=ends, prompt_logprobs=_of_prompt(prompt, sampling))

    def _thought(self, prompt: ModelInput, sampling: SamplingParameters) -> list[str]:
        """The words that it thinks. As with vLLM, the budget and `max_tokens` limit them."""
        if not isinstance(prompt, Chat | RenderedChat) or not prompt.thinks:
            return []
        if template_variables(prompt.template_values).get("enable_thinking") is False:
            return []
        limits = [sampling.get("thinking_token_budget"), sampling.get("max_tokens")]
        most = min((limit for limit in limits if limit is not None and limit >= 0), default=None)
        return re.findall(r"\S+\s*", self.reasoning)[:most]

    def _die(self, request: _Request) -> None:
        request.has_ended = True
        raise DependencyUnavailable("the engine died")


@dataclass
class _Request:
    has_ended: bool = False
    """Whether it ended by itself, before the caller left it."""


@dataclass(frozen=True)
class _Script:
    words: list[str]
    end: TextEnd


def _after(tokens: int, sampling: SamplingParameters) -> SamplingParameters:
    """The parameters when so many tokens have been generated."""
    left = sampling.get("max_tokens")
    return sampling if left is None else {**sampling, "max_tokens": left - tokens}


def _script(whole: str, sampling: SamplingParameters) -> _Script:
    """The words that are written, and the finish reason."""
    if sampling.get("max_tokens") == 0:
        return _Script([], TextEnd("length"))
    if choices := (sampling.get("structured_outputs") or {}).get("choice"):
        whole = choices[0]
    wanted = sampling.get("stop") or []
    stops = [stop for stop in ([wanted] if isinstance(wanted, str) else wanted) if stop in whole]
    first = min(stops, key=whole.index, default=None)
    scripted = re.findall(r"\S+\s*", whole[: whole.index(first)] if first else whole)
    words = scripted[: sampling.get("max_tokens") or len(scripted)]
    if len(words) < len(scripted):
        return _Script(words, TextEnd("length"))
    return _Script(words, TextEnd("stop", first))


def _check_structure(structure: JsonMapping) -> None:
    try:
        re.compile(structure.get("regex") or "")
        kind = (structure.get("json") or {}).get("type", "object")
        if kind not in ("object", "array", "string", "number", "integer", "boolean", "null"):
            raise ValueError(f"no type {kind!r}")
        if (grammar := structure.get("grammar") or "").count("(") != grammar.count(")"):
            raise ValueError("the grammar has an open bracket")
    except (re.error, ValueError) as error:
        raise InvalidRequest(f"structured_outputs: {error}", param="structured_outputs") from error


def _logprobs(text: str, sampling: SamplingParameters) -> tuple[TokenLogprob, ...]:
    if (count := sampling.get("logprobs")) is None:
        return ()
    top = (TokenLogprob(text, 1, -0.25), TokenLogprob("other", 2, -2.5), TokenLogprob("third", 3, -4.5))
    return (TokenLogprob(text, 1, -0.25, top[:count]),)


def _of_prompt(prompt: ModelInput, sampling: SamplingParameters) -> tuple[TokenLogprob | None, ...]:
    if (count := sampling.get("prompt_logprobs")) is None:
        return ()
    top = (TokenLogprob("word", 1, -0.5), TokenLogprob("other", 2, -2.0))
    return (None, *(TokenLogprob("word", 1, -0.5, top[:count]) for _ in range(_tokens(prompt) - 1)))


def _tokens(prompt: ModelInput) -> int:
    if isinstance(prompt, Chat):
        words = sum(len(split_words(str(message["content"] or ""))) for message in as_texts(prompt.messages))
        return words + IMAGE_TOKENS * len(image_urls(prompt.messages))
    if isinstance(prompt, RenderedChat):
        return len(prompt.token_ids)
    if isinstance(prompt, Insertion):
        return 3 + len(split_words(f"{prompt.prefix} {prompt.suffix}"))
    return len(split_words(prompt)) if isinstance(prompt, str) else len(prompt)
