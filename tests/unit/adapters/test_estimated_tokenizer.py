"""An estimate may be too high, and costs room then; too low, it costs the answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.adapters.estimated_tokenizer import EstimatedTokenizer
from rag.types import Message

COUNTED_BY_SMOLLM2 = {
    "The zebra of the savanna eats grass. Its stripes confuse flies, and each animal has a pattern of its own; nobody "
    "knows how foals learn to tell their mother's.": 35,
    "Das Zebra der Savanne frisst Gras. Seine Streifen verwirren Bremsen, und jedes Tier hat ein eigenes Muster; "
    "niemand weiß, woran die Fohlen ihre Mutter erkennen.": 60,
    "草原上的斑马吃草。它的条纹会迷惑苍蝇，每只动物都有自己的花纹；没有人知道小马驹是怎样认出母亲的。": 93,
    "def passage_text(piece: Passage | Chunk) -> str:\n"
    '    return f"{piece.heading}\\n{piece.text}" if piece.heading else piece.text\n': 38,
    "2024-11-22 10:21:45.120 4711 8.15 192.168.0.1 1,000,000": 55,
    "Зебра саванны ест траву. Её полосы сбивают мух с толку.": 43,
}


@pytest.mark.parametrize("text", COUNTED_BY_SMOLLM2, ids=["English", "German", "Chinese", "code", "numbers", "Russian"])
def test_it_is_hardly_ever_too_low_and_never_twice_too_high(text: str) -> None:
    tokens = COUNTED_BY_SMOLLM2[text]
    assert 0.94 * tokens <= EstimatedTokenizer().count(text) < 2 * tokens


@given(st.text(max_size=200))
def test_any_text_has_an_estimate(text: str) -> None:
    tokens = EstimatedTokenizer().count(text)
    assert 0 <= tokens <= len(text.encode(errors="replace"))
    assert EstimatedTokenizer().count(text + " zebra") > tokens


def test_a_conversation_is_more_than_its_texts_and_has_no_token_ids() -> None:
    tokenizer = EstimatedTokenizer()
    turns = [Message("system", "Be kind."), Message("user", "What does the zebra eat?")]
    texts = sum(tokenizer.count(turn.content) for turn in turns)
    assert texts + 8 <= tokenizer.measure(turns) <= texts + 40
    assert tokenizer.render(turns) == []


def test_a_long_text_takes_no_time() -> None:
    started = time.thread_time()
    EstimatedTokenizer().count("zebra 斑马 \n" * 100_000)
    assert time.thread_time() - started < 5
