from __future__ import annotations

import pytest

from rag.adapters.vllm.fast_forward.finite import has_few_choices
from rag.adapters.vllm.structures.gbnf import to_lark
from rag.adapters.vllm.structures.lark import any_of, from_lark
from rag.retrieve.quoting.grammar import chosen_text
from rag.types import Quote

SENTENCES = ['He said: "Größe 東京 \\ \n(a|b)*".', "Paper came to Europe from China.", "The hall is 42 metres long."]
QUOTES = [Quote(text, f"{text} [{number}]", number, 0, 1) for number, text in enumerate(SENTENCES, start=1)]


def test_quotes_have_few_choices() -> None:
    structure = chosen_text(QUOTES, at_most=2, refusal="I found nothing about this in the documents.")
    assert has_few_choices(to_lark(structure["grammar"]))


@pytest.mark.parametrize("text", ["Yes", SENTENCES[0]])
def test_a_single_text_has_none(text: str) -> None:
    assert has_few_choices(any_of([text]))


def test_to_choose_among_labels_is_quicker_in_one_request() -> None:
    assert not has_few_choices(any_of(["positive", "negative", "neutral"]))


@pytest.mark.parametrize(
    "grammar",
    [
        to_lark('root ::= "a sentence that is long enough to count" root | "b"'),
        to_lark('root ::= "a sentence that is long enough to count" [a-z]'),
        to_lark('root ::= "a sentence that is long enough to count"*'),
        from_lark('start: "a sentence that is long enough to count"i'),
        from_lark("start: %json {}"),
        any_of([""]),
        "",
    ],
)
def test_other_grammars_have_many(grammar: str) -> None:
    assert not has_few_choices(grammar)
