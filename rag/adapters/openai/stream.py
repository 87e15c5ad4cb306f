"""Translates the chunks of an OpenAI-compatible server, of chats and of completions, into a token stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from openai import APIError
from pydantic import BaseModel, Field

from rag.errors import DependencyUnavailable
from rag.types import JsonObject, ReasoningDelta, StreamEnd, StreamItem, TextDelta, TextEnd, TokenLogprob, Usage

UNKNOWN_TOKEN = -1
"""Token id: OpenAI's API does not report it."""
_USAGE_TIMEOUT_S = 5.0
"""How long to wait for the usage after the text is complete."""
_ENDS = {"stop", "length", "repetition", "content_filter"}
_DROPPED = {"abort", "error"}


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(BaseModel):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: _Function = Field(default_factory=_Function)


class _Delta(BaseModel):
    content: str | None = None
    reasoning_content: object = None
    reasoning: object = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Logprob(BaseModel):
    token: str
    logprob: float
    top_logprobs: list[_Logprob] | None = None


class _Logprobs(BaseModel):
    """A chat has `content`, a completion the three lists."""

    content: list[_Logprob] | None = None
    tokens: list[str] = Field(default_factory=list)
    token_logprobs: list[float | None] = Field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(BaseModel):
    index: int = Field(0, ge=0, lt=1024)
    delta: _Delta | None = None
    text: str | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _CachedTokens(BaseModel):
    cached_tokens: int | None = None


class _ReasoningTokens(BaseModel):
    reasoning_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    completion_tokens_details: _ReasoningTokens | None = None
    prompt_tokens_details: _CachedTokens | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None


class CompletionReader:
    """Reads one stream.

    Args:
        texts: Number of texts that the request asks for.
        top: Number of most likely tokens that it asks for at each position.
        prompt_tokens: Returns an estimate, for servers that do not report usage.
    """

    def __init__(self, texts: int, top: int, prompt_tokens: Callable[[], int]) -> None:
        self._texts = texts
        self._top = top
        self._prompt_tokens = prompt_tokens
        self._ends: dict[int, TextEnd] = {}
        self._usage: _Usage | None = None
        self._tokens = 0
        self._reasoning_tokens = 0

    async def deltas(self, chunks: AsyncIterator[object]) -> AsyncGenerator[StreamItem, None]:
        """The text in a stream's objects, then its end.

        Raises:
            DependencyUnavailable: the stream ended before each text had.
            ValueError: an object is not a completion chunk.
        """
        while (data := await self._next(chunks)) is not None:
            chunk = _Chunk.model_validate(data)
            self._usage = chunk.usage or self._usage
            for choice in chunk.choices or ():
                if thought := _reasoning(choice):
                    self._tokens += 1
                    self._reasoning_tokens += 1
                    yield ReasoningDelta(thought, choice.index)
                delta = self._delta(choice)
                if delta.text or delta.logprobs or delta.tool_calls:
                    self._tokens += len(delta.logprobs) or 1
                    yield delta
                self._end(choice)
        if not self._is_complete:
            raise DependencyUnavailable("the connection to the language model's server was lost during the answer")
        yield self._stream_end()

    @property
    def _is_complete(self) -> bool:
        return len(self._ends) >= self._texts

    async def _next(self, chunks: AsyncIterator[object]) -> object | None:
        """None at the end of the stream, or if it breaks when only the usage is missing."""
        try:
            async with asyncio.timeout(_USAGE_TIMEOUT_S if self._is_complete else None):
                return await anext(chunks, None)
        except (APIError, TimeoutError):
            if self._is_complete:
                return None
            raise

    def _delta(self, choice: _Choice) -> TextDelta:
        delta = choice.delta or _Delta()
        text = choice.text or delta.content or delta.refusal or ""
        # vLLM reports the log probabilities of thinking, too, with its text.
        logprobs = () if _reasoning(choice) and not text else self._token_logprobs(choice.logprobs)
        return TextDelta(text, choice.index, logprobs, _calls(delta.tool_calls or ()))

    def _end(self, choice: _Choice) -> None:
        if (reason := choice.finish_reason) is None:
            return
        if reason in _DROPPED:
            raise DependencyUnavailable("the language model's server dropped the request")
        # Other values, such as tool_calls or eos_token, mean that the model ended the text itself.
        self._ends[choice.index] = TextEnd(reason if reason in _ENDS else "stop", choice.stop_reason)

    def _stream_end(self) -> StreamEnd:
        ends = tuple(self._ends[index] for index in sorted(self._ends))
        plain = len(ends) == 1 and ends[0].stop_reason is None
        return StreamEnd(ends[0].finish_reason, self._final_usage(), ends=() if plain else ends)

    def _final_usage(self) -> Usage:
        if (usage := self._usage) is None:
            return Usage(self._prompt_tokens(), self._tokens, 0, self._reasoning_tokens)
        cached, details = usage.prompt_tokens_details or _CachedTokens(), usage.completion_tokens_details
        reported = None if details is None else details.reasoning_tokens
        # Without a report, one token is assumed for each part that the server has sent.
        reasoning = min(self._reasoning_tokens, usage.completion_tokens) if reported is None else reported
        return Usage(usage.prompt_tokens, usage.completion_tokens, cached.cached_tokens or 0, reasoning)

    def _token_logprobs(self, logprobs: _Logprobs | None) -> tuple[TokenLogprob, ...]:
        if logprobs is None:
            return ()
        if logprobs.content is not None:
            return tuple(
                self._token_logprob(
                    token.token, token.logprob, [(t.token, t.logprob) for t in token.top_logprobs or ()]
                )
                for token in logprobs.content
            )
        tops = logprobs.top_logprobs or [None] * len(logprobs.tokens)
        each = zip(logprobs.tokens, logprobs.token_logprobs, tops, strict=False)
        return tuple(
            self._token_logprob(token, logprob or 0.0, list((top or {}).items())) for token, logprob, top in each
        )

    def _token_logprob(self, token: str, logprob: float, others: list[tuple[str, float]]) -> TokenLogprob:
        best = sorted(others, key=lambda other: -other[1])[: self._top]
        top = tuple(TokenLogprob(text, UNKNOWN_TOKEN, value) for text, value in best)
        return TokenLogprob(token, UNKNOWN_TOKEN, logprob, top)


def _reasoning(choice: _Choice) -> str:
    """What the model thinks, under the name that DeepSeek's and other servers use, or that of vLLM and OpenRouter."""
    delta = choice.delta or _Delta()
    found = delta.reasoning_content or delta.reasoning
    return found if isinstance(found, str) else ""


def _calls(calls: list[_ToolCall] | tuple[()]) -> tuple[JsonObject, ...]:
    """Calls with an index, which some servers leave out if they send whole calls."""
    found: list[JsonObject] = []
    for position, call in enumerate(calls):
        index = {"index": position if call.index is None else call.index}
        found.append({**call.model_dump(exclude_none=True), **index})
    return tuple(found)
