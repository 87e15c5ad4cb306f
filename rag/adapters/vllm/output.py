"""What vLLM's engine gives -> pieces of text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.adapters.vllm.errors import translated
from rag.adapters.vllm.structures import PARAM
from rag.errors import DependencyUnavailable, InvalidRequest
from rag.ports import TokenStream
from rag.types import StreamEnd, TextDelta, TextEnd, TokenLogprob, Usage

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.logprobs import Logprob

_IMPOSSIBLE = -9999.0
"""In place of minus infinity, which JSON does not have."""


@contextlib.asynccontextmanager
async def token_stream(
    outputs: AsyncGenerator[RequestOutput, None], prompt_tokens: int, params: SamplingParams
) -> AsyncIterator[TokenStream]:
    """A request to the engine, as the stream of its text. Leaving the context aborts the request.

    vLLM validates a request in the first step of its generator and then waits for tokens. So one turn of the event
    loop is enough to know that the request was accepted, long before its first token.

    A structured output is compiled later, in the engine's process: only the first token says that it compiled, so
    entering waits for that.
    """
    param = None if params.structured_outputs is None else PARAM
    first = asyncio.ensure_future(anext(outputs))
    try:
        with translated(param):
            await asyncio.sleep(0)
            if params.structured_outputs is not None:
                _check_compiled(await first)
            elif first.done():
                first.result()
        async with contextlib.aclosing(_deltas(first, outputs, _Reader(prompt_tokens, params), param)) as deltas:
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
) -> AsyncGenerator[TextDelta | StreamEnd, None]:
    with translated(param):
        for delta in reader.read(await first):
            yield delta
        async for output in outputs:
            for delta in reader.read(output):
                yield delta


def _check_compiled(first: RequestOutput) -> None:
    if any(text.finish_reason == "error" for text in first.outputs):
        raise InvalidRequest(f"{PARAM}: no text can follow this", param=PARAM)


class _Reader:
    """Keeps what the last piece says of all texts."""

    def __init__(self, prompt_tokens: int, params: SamplingParams) -> None:
        self._prompt_tokens = prompt_tokens
        self._texts = params.n
        self._has_structure = params.structured_outputs is not None
        self._logprobs = _Wanted(params.logprobs, params.logprob_token_ids)
        self._of_prompt = _Wanted(params.prompt_logprobs)
        self._written = 0
        self._cached = 0
        self._ends: dict[int, TextEnd] = {}
        self._prompt_logprobs: tuple[TokenLogprob | None, ...] = ()

    def read(self, output: RequestOutput) -> list[TextDelta | StreamEnd]:
        self._cached = max(self._cached, output.num_cached_tokens or 0)
        if output.prompt_logprobs and not self._prompt_logprobs:  # each of several texts brings them
            self._prompt_logprobs = tuple(self._of_prompt.of(place) for place in output.prompt_logprobs)
        pieces: list[TextDelta | StreamEnd] = []
        for text in output.outputs:
            self._written += len(text.token_ids)
            places = tuple(filter(None, map(self._logprobs.of, text.logprobs or ())))
            if text.text or places:
                pieces.append(TextDelta(text.text, text.index, places))
            if text.finish_reason is not None:
                self._ends[text.index] = self._end(text.finish_reason, text.stop_reason)
        return [*pieces, self._finished()] if output.finished else pieces

    def _end(self, reason: str, stop_reason: int | str | None) -> TextEnd:
        if reason == "error" and self._has_structure:
            raise InvalidRequest(f"{PARAM}: the text cannot go on as this wants it", param=PARAM)
        if reason in ("abort", "error"):
            raise DependencyUnavailable("the language model's engine dropped the request")
        return TextEnd(str(reason), stop_reason)

    def _finished(self) -> StreamEnd:
        ends = tuple(self._ends[index] for index in range(self._texts))
        told = ends if len(ends) > 1 or ends[0].stop_reason is not None else ()
        usage = Usage(self._prompt_tokens, self._written, self._cached)
        return StreamEnd(ends[0].finish_reason, usage, ends=told, prompt_logprobs=self._prompt_logprobs)


class _Wanted:
    """Which log probabilities of a place a request wants, besides the chosen token's.

    Args:
        count: So many of the likeliest; -1: all; None: none.
        token_ids: Or those of these tokens.
    """

    def __init__(self, count: int | None, token_ids: Sequence[int] | None = None) -> None:
        self._count = count
        self._token_ids = None if token_ids is None else frozenset(token_ids)

    def of(self, place: Mapping[int, Logprob] | None) -> TokenLogprob | None:
        """vLLM puts the chosen token first, then the likeliest, among which it may be again."""
        if not place:
            return None
        (chosen_id, chosen), *_ = place.items()
        top = sorted(self._others(place), key=lambda one: -one.logprob)
        return TokenLogprob(chosen.decoded_token or "", chosen_id, _value(chosen), tuple(top))

    def _others(self, place: Mapping[int, Logprob]) -> list[TokenLogprob]:
        if self._token_ids is not None:
            kept: Any = [(i, one) for i, one in place.items() if i in self._token_ids]
        elif self._count == -1:
            kept = list(place.items())
        else:
            kept = [(i, one) for i, one in place.items() if (one.rank or 0) <= (self._count or 0)]
        return [TokenLogprob(one.decoded_token or "", i, _value(one)) for i, one in kept]


def _value(one: Logprob) -> float:
    return max(float(one.logprob), _IMPOSSIBLE)
