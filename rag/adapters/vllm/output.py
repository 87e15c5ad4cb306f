"""Translates vLLM's request outputs into a token stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rag.adapters.vllm.errors import translated
from rag.adapters.vllm.parsers.reasoning import RequestReasoning, SplitText
from rag.adapters.vllm.structures.matcher import TextMatcher
from rag.adapters.vllm.structures.xgrammar_schemas import PARAM
from rag.errors import DependencyUnavailable, InvalidRequest
from rag.ports import TokenStream
from rag.types import ReasoningDelta, StreamEnd, StreamItem, TextDelta, TextEnd, TokenLogprob, Usage

if TYPE_CHECKING:
    from vllm import CompletionOutput, RequestOutput, SamplingParams
    from vllm.logprobs import Logprob

_MIN_LOGPROB = -9999.0
"""Used instead of minus infinity, which JSON cannot represent."""
_CANNOT_CONTINUE = f"{PARAM}: the text cannot continue as this requires"


@contextlib.asynccontextmanager
async def token_stream(
    outputs: AsyncGenerator[RequestOutput, None],
    prompt_tokens: int,
    params: SamplingParams,
    reasoning: RequestReasoning | None = None,
    matcher: TextMatcher | None = None,
) -> AsyncIterator[TokenStream]:
    """A request to the engine, as the stream of its text. Leaving the context aborts the request.

    Args:
        matcher: Compares complete texts with the structured output.

    vLLM validates a request in the first step of its generator and then waits for tokens. So one turn of the event
    loop is enough to know that the request was accepted, long before its first token.

    A structured output is compiled later, in the engine's process: only the first token says that it compiled, so
    entering waits for that.
    """
    param = None if params.structured_outputs is None else PARAM
    first = asyncio.ensure_future(anext(outputs))
    reader = _Reader(prompt_tokens, params, reasoning, matcher)
    try:
        with translated(param):
            await asyncio.sleep(0)
            if params.structured_outputs is not None:
                _check_compiled(await first, matcher)
            elif first.done():
                first.result()
        async with contextlib.aclosing(_deltas(first, outputs, reader, param)) as deltas:
            yield deltas
    finally:
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
            await first
        await outputs.aclose()


async def _deltas(
    first: asyncio.Future[RequestOutput],
    outputs: AsyncGenerator[RequestOutput, None],
    reader: _Reader,
    param: str | None,
) -> AsyncGenerator[StreamItem, None]:
    with translated(param):
        for delta in reader.read(await first):
            yield delta
        async for output in outputs:
            for delta in reader.read(output):
                yield delta


def _check_compiled(first: RequestOutput, matcher: TextMatcher | None) -> None:
    for text in first.outputs:
        is_cut = matcher is not None and not text.text and _is_complete(text) and not matcher.matches("")
        if is_cut or text.finish_reason == "error":
            raise InvalidRequest(f"{PARAM}: no text can match this", param=PARAM)


def _is_complete(text: CompletionOutput) -> bool:
    """Whether the model ended the text itself, not because of a limit or stop string."""
    return text.finish_reason == "stop" and text.stop_reason is None


class _Reader:
    """Turns outputs into deltas, and collects what `StreamEnd` reports."""

    def __init__(
        self,
        prompt_tokens: int,
        params: SamplingParams,
        reasoning: RequestReasoning | None,
        matcher: TextMatcher | None,
    ) -> None:
        self._reasoning = reasoning
        self._matcher = matcher
        self._texts_so_far: dict[int, str] = {}
        """Only with a matcher."""
        self._reasoning_tokens = 0
        self._prompt_tokens = prompt_tokens
        self._texts = params.n
        self._has_structure = params.structured_outputs is not None
        self._logprobs = _LogprobReader(params.logprobs, params.logprob_token_ids)
        self._prompt_logprob_reader = _LogprobReader(params.prompt_logprobs)
        self._completion_tokens = 0
        self._cached_tokens = 0
        self._ends: dict[int, TextEnd] = {}
        self._prompt_logprobs: tuple[TokenLogprob | None, ...] = ()

    def read(self, output: RequestOutput) -> list[StreamItem]:
        self._cached_tokens = max(self._cached_tokens, output.num_cached_tokens or 0)
        if output.prompt_logprobs and not self._prompt_logprobs:  # with several texts, each output has them
            self._prompt_logprobs = tuple(
                self._prompt_logprob_reader.read(position) for position in output.prompt_logprobs
            )
        deltas: list[StreamItem] = []
        for text in output.outputs:
            self._completion_tokens += len(text.token_ids)
            split = self._split(text)
            self._reasoning_tokens += split.reasoning_tokens
            if self._matcher is not None:
                self._compare(text)
            if split.reasoning:
                deltas.append(ReasoningDelta(split.reasoning, text.index))
            positions = (text.logprobs or ())[split.reasoning_tokens :]
            logprobs = tuple(filter(None, map(self._logprobs.read, positions)))
            if split.text or logprobs:
                deltas.append(TextDelta(split.text, text.index, logprobs))
            if text.finish_reason is not None:
                self._ends[text.index] = self._end(text.finish_reason, text.stop_reason)
        return [*deltas, self._stream_end()] if output.finished else deltas

    def _split(self, text: CompletionOutput) -> SplitText:
        if self._reasoning is None:
            return SplitText("", text.text, 0)
        is_last = text.finish_reason is not None
        return self._reasoning.split(text.index, text.text, text.token_ids, is_last=is_last)

    def _compare(self, text: CompletionOutput) -> None:
        """Raise InvalidRequest if the text ends too early."""
        written = self._texts_so_far[text.index] = self._texts_so_far.get(text.index, "") + text.text
        if _is_complete(text) and self._matcher is not None and not self._matcher.matches(written):
            raise InvalidRequest(_CANNOT_CONTINUE, param=PARAM)

    def _end(self, reason: str, stop_reason: int | str | None) -> TextEnd:
        if reason == "error" and self._has_structure:
            raise InvalidRequest(_CANNOT_CONTINUE, param=PARAM)
        if reason in ("abort", "error"):
            raise DependencyUnavailable("the language model's engine dropped the request")
        return TextEnd(str(reason), stop_reason)

    def _stream_end(self) -> StreamEnd:
        ends = tuple(self._ends[index] for index in range(self._texts))
        named = ends if len(ends) > 1 or ends[0].stop_reason is not None else ()
        usage = Usage(self._prompt_tokens, self._completion_tokens, self._cached_tokens, self._reasoning_tokens)
        return StreamEnd(ends[0].finish_reason, usage, ends=named, prompt_logprobs=self._prompt_logprobs)


class _LogprobReader:
    """Reads the log probabilities of one position: the sampled token's, and those that the request asks for.

    Args:
        count: Number of the most likely tokens; -1 for all, None for none.
        token_ids: These tokens instead.
    """

    def __init__(self, count: int | None, token_ids: Sequence[int] | None = None) -> None:
        self._count = count
        self._token_ids = None if token_ids is None else frozenset(token_ids)

    def read(self, position: Mapping[int, Logprob] | None) -> TokenLogprob | None:
        """vLLM lists the sampled token first, then the most likely ones, which may include it again."""
        if not position:
            return None
        (sampled_id, sampled), *_ = position.items()
        top = sorted(self._requested(position), key=lambda token: -token.logprob)
        return TokenLogprob(sampled.decoded_token or "", sampled_id, _value(sampled), tuple(top))

    def _requested(self, position: Mapping[int, Logprob]) -> list[TokenLogprob]:
        if self._token_ids is not None:
            tokens = [(i, token) for i, token in position.items() if i in self._token_ids]
        elif self._count == -1:
            tokens = list(position.items())
        else:
            tokens = [(i, token) for i, token in position.items() if (token.rank or 0) <= (self._count or 0)]
        return [TokenLogprob(token.decoded_token or "", i, _value(token)) for i, token in tokens]


def _value(logprob: Logprob) -> float:
    return max(float(logprob.logprob), _MIN_LOGPROB)
