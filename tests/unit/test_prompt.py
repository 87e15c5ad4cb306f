"""A prompt never exceeds its budget, and what is left out is left out in order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import ContextLengthExceeded
from rag.retrieve.prompt import SYSTEM, assemble
from rag.types import Hit, Message, Prompt
from tests.builders import a_chunk
from tests.fakes import FakeTokenizer

FIXED = len(FakeTokenizer().render([Message("system", SYSTEM), Message("user", "Question:")]))
"""Tokens of a prompt without a question, hits or history."""


def hits_of(*lengths: int) -> list[Hit]:
    return [
        Hit(a_chunk(" ".join([f"hit{i}"] * max(n, 1)), ordinal=i), 1 - i / 100) for i, n in enumerate(lengths, start=1)
    ]


def turns_of(*lengths: int) -> list[Message]:
    roles = ("user", "assistant")
    return [Message(roles[i % 2], " ".join([f"turn{i}"] * max(n, 1))) for i, n in enumerate(lengths)]  # type: ignore[arg-type]


class Case:
    """A question with hits and turns; `assembled(room)` is the text of the prompt and how many hits it has."""

    def __init__(self, hits: list[Hit], turns: list[Message], question: str = "why") -> None:
        self.hits, self.turns, self.question = hits, turns, question
        self.tokenizer = FakeTokenizer()

    def prompt(self, room: int) -> Prompt:
        return assemble(self.question, self.hits, self.turns, self.tokenizer, context_tokens=room + 10, max_tokens=10)

    def text(self, room: int) -> str:
        return self.tokenizer.decode(self.prompt(room).token_ids)


Lengths = st.lists(st.integers(0, 30), max_size=6)


@settings(max_examples=50, deadline=None)
@given(hits=Lengths, turns=Lengths, question=st.integers(1, 20), context=st.integers(1, 400), kept=st.integers(1, 400))
def test_a_prompt_never_exceeds_its_budget(
    hits: list[int], turns: list[int], question: int, context: int, kept: int
) -> None:
    asked = " ".join(["why"] * question)
    try:
        prompt = assemble(
            asked, hits_of(*hits), turns_of(*turns), FakeTokenizer(), context_tokens=context, max_tokens=kept
        )
    except ContextLengthExceeded:
        assert FIXED + question > context - kept
    else:
        assert len(prompt.token_ids) + kept <= context
        assert prompt.sources == tuple(hits_of(*hits)[: len(prompt.sources)])


@settings(max_examples=50, deadline=None)
@given(hits=Lengths, turns=Lengths, room=st.integers(FIXED + 1, 300))
def test_turns_go_only_when_not_even_one_hit_fits_with_them_and_hits_never_for_nothing(
    hits: list[int], turns: list[int], room: int
) -> None:
    case = Case(hits_of(*hits), turns_of(*turns))
    text, sources = case.text(room), case.prompt(room).sources
    gone = [i for i in range(len(turns)) if f"turn{i}" not in text]
    assert gone == list(range(len(gone)))
    if gone:
        kept = Case(case.hits[:1], case.turns[len(gone) - 1 :])
        assert len(kept.prompt(10_000).token_ids) > room
    if len(sources) < len(hits) and not gone:
        more = Case(case.hits[: len(sources) + 1], case.turns)
        assert len(more.prompt(10_000).token_ids) > room


def test_all_that_fits_stays() -> None:
    case = Case(hits_of(3, 3), turns_of(2, 2))
    text = case.text(1000)
    assert all(word in text for word in ("hit1", "hit2", "turn0", "turn1", "why"))
    assert case.prompt(1000).sources == tuple(case.hits)


def test_the_weakest_hits_are_dropped_first() -> None:
    case = Case(hits_of(10, 10, 10), turns_of(5, 5))
    room = len(case.prompt(1000).token_ids) - 1
    text = case.text(room)
    assert "hit3" not in text
    assert all(word in text for word in ("hit1", "hit2", "turn0", "turn1"))
    assert case.prompt(room).sources == tuple(case.hits[:2])


def test_then_the_oldest_turns_are_dropped() -> None:
    case = Case(hits_of(10, 10), turns_of(5, 5))
    room = len(Case(case.hits[:1], case.turns).prompt(1000).token_ids) - 1
    text = case.text(room)
    assert ("turn0" in text, "turn1" in text, "hit1" in text, "hit2" in text) == (False, True, True, False)


def test_the_strongest_hit_is_dropped_last() -> None:
    case = Case(hits_of(10, 10), turns_of(5, 5))
    room = len(Case(case.hits[:1], []).prompt(1000).token_ids) - 1
    assert case.prompt(room).sources == ()
    assert "turn" not in case.text(room)


def test_without_hits_the_oldest_turns_are_dropped() -> None:
    case = Case([], turns_of(5, 5))
    text = case.text(len(case.prompt(1000).token_ids) - 1)
    assert ("turn0" in text, "turn1" in text) == (False, True)


def test_a_question_that_does_not_fit_is_refused_with_numbers() -> None:
    case = Case(hits_of(3), turns_of(3), question="why " * 50)
    with pytest.raises(
        ContextLengthExceeded, match=rf"at least {FIXED + 50} tokens and 10 .* holds {FIXED + 50 + 9};"
    ) as e:
        case.prompt(FIXED + 49)
    assert e.value.param == "question"
    assert case.prompt(FIXED + 50).sources == ()


def test_no_room_at_all_is_refused() -> None:
    with pytest.raises(ContextLengthExceeded):
        assemble("why", [], [], FakeTokenizer(), context_tokens=5, max_tokens=50)


def test_the_best_hit_stands_nearest_the_question() -> None:
    text = Case(hits_of(1, 1, 1), []).text(1000)
    assert text.index("hit3") < text.index("hit2") < text.index("hit1") < text.index("Question:")


def test_the_part_that_never_changes_comes_first() -> None:
    """The engine's prefix cache serves it."""
    text = Case(hits_of(1), turns_of(1)).text(1000)
    assert text.startswith(f"<system> {SYSTEM}")
    assert text.index("turn0") < text.index("Passages:")


def test_a_passage_names_its_number_file_and_heading() -> None:
    hit = Hit(a_chunk("body", filename="guide.md", heading="Setup > Linux"), 1.0)
    assert "[1] body (from guide.md > Setup > Linux)" in Case([hit], []).text(1000)


def test_the_larger_text_of_a_passage_is_given_once() -> None:
    parent = "the whole parent text"
    chunks = [a_chunk(f"child {n}", ordinal=n, context=parent) for n in range(2)] + [a_chunk("alone", ordinal=2)]
    prompt = Case([Hit(chunk, 1.0) for chunk in chunks], []).prompt(500)
    assert [hit.chunk.text for hit in prompt.sources] == ["child 0", "alone"]


def test_a_parent_is_in_the_prompt_in_place_of_its_child() -> None:
    assert "whole parent" in Case([Hit(a_chunk("child", context="the whole parent text"), 1.0)], []).text(500)
