"""Texts of a grammar, written with a token for each byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import llguidance
import pytest

from rag.adapters.vllm.fast_forward.choices import ChosenToken
from rag.adapters.vllm.fast_forward.matcher import TokenMatcher
from rag.adapters.vllm.fast_forward.plan import Plan
from rag.adapters.vllm.fast_forward.writer import fast_forwarded
from rag.adapters.vllm.structures.gbnf import to_lark
from rag.adapters.vllm.structures.lark import any_of
from rag.errors import DependencyUnavailable
from rag.ports import TokenStream
from rag.retrieve.quoting.grammar import chosen_text
from rag.telemetry import generation as metrics
from rag.types import Quote, StreamEnd, TextDelta

BYTES = llguidance.LLTokenizer("byte")
GULLS, OWLS = "Gulls eat fish. [1]", "Größere Eulen jagen. [2]"
PROMPT_TOKENS = 40


@dataclass
class Wish:
    """Chooses the tokens of a text, and then the end."""

    text: str = ""
    asked: list[int] = field(default_factory=list)
    """Number of tokens that had been written, each time."""

    async def choose(self, written: Sequence[int], choices: Sequence[int]) -> ChosenToken:
        self.asked.append(len(written))
        wanted = [*self.text.encode(), BYTES.eos_token]
        token = wanted[len(written)]
        assert token in choices
        return ChosenToken(token, cached_tokens=32)


class DeadEngine:
    async def choose(self, written: Sequence[int], choices: Sequence[int]) -> ChosenToken:
        raise DependencyUnavailable("the engine died")


def planned(grammar: str, max_tokens: int = 500) -> Plan:
    matcher = TokenMatcher(BYTES, grammar)
    return Plan(matcher, tuple(matcher.advance()), max_tokens)


def two_quotes(max_tokens: int = 500) -> Plan:
    quotes = [Quote(text, text, number, 0, 1) for number, text in enumerate((GULLS, OWLS), start=1)]
    return planned(to_lark(chosen_text(quotes, at_most=2, refusal="I found nothing.")["grammar"]), max_tokens)


async def read(stream: TokenStream) -> tuple[list[str], StreamEnd]:
    *deltas, end = [item async for item in stream]
    assert isinstance(end, StreamEnd)
    return [delta.text for delta in deltas if isinstance(delta, TextDelta)], end


async def write(plan: Plan, wish: Wish) -> tuple[list[str], StreamEnd]:
    async with fast_forwarded(plan, wish, PROMPT_TOKENS) as stream:
        return await read(stream)


async def test_a_single_text_is_written_without_the_engine() -> None:
    wish = Wish()
    deltas, end = await write(planned(any_of([OWLS])), wish)
    assert deltas == list(OWLS)
    assert (end.finish_reason, wish.asked) == ("stop", [])
    assert end.usage.completion_tokens == len(OWLS.encode()) + 1
    assert (end.usage.prompt_tokens, end.usage.cached_tokens) == (PROMPT_TOKENS, 0)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (GULLS, [0, 1, len(GULLS)]),
        (OWLS, [0, 1]),
        (f"{GULLS}\n{OWLS}", [0, 1, len(GULLS)]),
        ("I found nothing.", [0]),
    ],
    ids=["first", "last", "both", "refusal"],
)
async def test_the_engine_is_only_asked_where_there_is_a_choice(text: str, asked: list[int]) -> None:
    wish = Wish(text)
    deltas, end = await write(two_quotes(), wish)
    assert "".join(deltas) == text
    assert wish.asked == asked
    assert end.usage.completion_tokens == len(text.encode()) + 1
    assert end.usage.cached_tokens == 32


async def test_tokens_that_were_not_computed_are_counted() -> None:
    def forced() -> float:
        return metrics.REGISTRY.get_sample_value("rag_tokens_total", {"tenant": "default", "type": "forced"}) or 0

    before = forced()
    _, end = await write(two_quotes(), Wish(GULLS))
    assert forced() - before == end.usage.completion_tokens - 3


@pytest.mark.parametrize("max_tokens", [1, 3, 4, len(OWLS.encode())])
async def test_max_tokens_cuts_a_text_off(max_tokens: int) -> None:
    deltas, end = await write(planned(any_of([OWLS]), max_tokens), Wish())
    assert "".join(deltas) == OWLS.encode()[:max_tokens].decode(errors="ignore")
    assert (end.finish_reason, end.usage.completion_tokens) == ("length", max_tokens)


async def test_max_tokens_cuts_a_chosen_text_off() -> None:
    wish = Wish(f"{GULLS}\n{OWLS}")
    deltas, end = await write(two_quotes(len(GULLS) + 1), wish)
    assert "".join(deltas) == f"{GULLS}\n"
    assert (end.finish_reason, end.usage.completion_tokens) == ("length", len(GULLS) + 1)


async def test_entering_raises_what_the_engine_raises() -> None:
    with pytest.raises(DependencyUnavailable):
        async with fast_forwarded(two_quotes(), DeadEngine(), PROMPT_TOKENS):
            pass


async def test_leaving_ends_it() -> None:
    wish = Wish(GULLS)
    async with fast_forwarded(two_quotes(), wish, PROMPT_TOKENS) as stream:
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert wish.asked == [0]
