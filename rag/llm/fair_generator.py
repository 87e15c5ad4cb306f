"""A language model whose capacity callers share fairly."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable

from rag.auth.caller import queueing_caller
from rag.llm.greedy_copies import copies_wanted
from rag.ports import Generator, TokenStream
from rag.queues.fair_queue import FairQueue
from rag.types import Facts, ModelInput, SamplingParameters

GRAMMAR_CHARS = 20_000
"""Characters of grammars that are compiled at the same time; so many take about a second. vLLM cannot stop compiling
when the client has left, so that one caller's grammars must not all be given to it at once."""


class FairGenerator:
    """A `rag.ports.Generator` that lets requests wait for their turn before the model gets them.

    A request uses as much of the capacity as it has texts (`n`). A request with a structured output also waits until
    there is room for its grammar, which it uses until the first token.

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

    def facts(self) -> Facts:
        """How many requests wait, and whether they are so many that every further one is refused."""
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
                async with self._grammars.slot(caller.queue, chars, is_background=caller.is_background):
                    stream = await stack.enter_async_context(generation)
            else:
                stream = await stack.enter_async_context(generation)
            yield stream

    def _texts_of(self, sampling: SamplingParameters) -> int:
        """How many texts the model generates: copies of one text are one."""
        chosen = {"temperature": self._temperature} | {k: v for k, v in sampling.items() if v is not None}
        return 1 if copies_wanted(chosen) > 1 else int(chosen.get("n", 1))


def _grammar_chars(sampling: SamplingParameters) -> int:
    structured = sampling.get("structured_outputs")
    return 0 if structured is None else len(json.dumps(structured, ensure_ascii=False))
