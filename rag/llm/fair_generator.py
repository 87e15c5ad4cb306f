"""A language model whose capacity callers share fairly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from rag.auth.caller import queueing_caller
from rag.errors import RagError
from rag.llm.greedy_copies import copies_wanted
from rag.ports import Generator, TokenStream
from rag.queues.fair_queue import FairQueue
from rag.types import Facts, ModelInput, SamplingParameters

_Generation: TypeAlias = AbstractAsyncContextManager[TokenStream]
_Place: TypeAlias = AbstractAsyncContextManager[None]
GRAMMAR_CHARS = 20_000
"""Characters of grammars that may be compiled at the same time; so many take about a second. vLLM keeps compiling after
the client has disconnected, so one caller must not submit all its grammars at once."""


class FairGenerator:
    """A `rag.ports.Generator` that lets requests wait for their turn before the model gets them.

    A request uses as much of the capacity as it has texts (`n`). A request with a structured output also waits until
    there is room for its grammar, which it uses until the first token, also if its client leaves before.

    Args:
        texts: The queue for texts.
        grammars: The queue for grammars, in characters.
        capacity: Returns how many texts the model can generate at the same time; raises if it is not ready.
        temperature: Of requests that set none.
    """

    def __init__(
        self,
        generator: Generator,
        texts: FairQueue,
        grammars: FairQueue,
        *,
        capacity: Callable[[], int],
        temperature: float,
    ) -> None:
        self._generator = generator
        self._texts = texts
        self._grammars = grammars
        self._capacity = capacity
        self._temperature = temperature
        self._abandoned: set[asyncio.Task[None]] = set()
        """Requests whose clients left while their grammars were being compiled."""

    def facts(self) -> Facts:
        """The number of waiting requests, and whether the queue is full for everybody."""
        return {"waiting": self._texts.waiting, "saturated": self._texts.is_full}

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        """See `rag.ports.Generator`. Raises Overloaded, on entering, if the request cannot begin in time."""
        caller = queueing_caller()
        self._texts.resize(self._capacity())
        async with contextlib.AsyncExitStack() as stack:
            turn = self._texts.slot(caller.queue, self._texts_of(sampling), is_background=caller.is_background)
            await stack.enter_async_context(turn)
            generation = self._generator.generate(prompt, sampling, request_id, model=model)
            if chars := _grammar_chars(sampling):
                place = self._grammars.slot(caller.queue, chars, is_background=caller.is_background)
                yield await self._compiled(stack, generation, place)
            else:
                yield await stack.enter_async_context(generation)

    async def _compiled(self, stack: contextlib.AsyncExitStack, generation: _Generation, place: _Place) -> TokenStream:
        """Enter `generation` in `stack`, which takes until its grammar is compiled.

        If it is cancelled, the engine continues to compile, and the grammar keeps its place in the queue.
        """
        places = contextlib.AsyncExitStack()
        await places.enter_async_context(place)
        entered = asyncio.create_task(_enter(generation, places))
        try:
            stream = await asyncio.shield(entered)
        except asyncio.CancelledError:
            leaving = asyncio.create_task(_leave(generation, entered))
            self._abandoned.add(leaving)
            leaving.add_done_callback(self._abandoned.discard)
            raise
        stack.push_async_exit(generation)
        return stream

    def _texts_of(self, sampling: SamplingParameters) -> int:
        """How many texts the model generates: copies of one text are one."""
        chosen = {"temperature": self._temperature} | {k: v for k, v in sampling.items() if v is not None}
        return 1 if copies_wanted(chosen) > 1 else int(chosen.get("n", 1))


async def _enter(generation: _Generation, places: contextlib.AsyncExitStack) -> TokenStream:
    async with places:
        return await generation.__aenter__()


async def _leave(generation: _Generation, entered: asyncio.Task[TokenStream]) -> None:
    with contextlib.suppress(RagError):
        await entered
        await generation.__aexit__(None, None, None)


def _grammar_chars(sampling: SamplingParameters) -> int:
    structured = sampling.get("structured_outputs")
    return 0 if structured is None else len(json.dumps(structured, ensure_ascii=False))
