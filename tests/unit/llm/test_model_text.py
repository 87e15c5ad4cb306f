"""Cleaning of text that a language model generated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.llm.model_text import is_degenerate, plain, same_words


@given(st.text(), st.integers(1, 50))
def test_plain_text_is_one_bounded_printable_line(text: str, limit: int) -> None:
    line = plain(text, limit)
    assert len(line) <= limit
    assert line == " ".join(line.split())
    line.encode()
    assert not any(ord(char) < 32 for char in line)


def test_joiners_inside_words_are_kept() -> None:
    assert plain("می\u200cخواهم", 20) == "می\u200cخواهم"


def test_degenerate_text_is_detected() -> None:
    assert is_degenerate("")
    assert is_degenerate("1. 1. 1. 1. 1. 1. 1. 1.")
    assert not is_degenerate("The ability of biomaterials to exhibit inductive properties is fundamental.")
    assert same_words("What is it?", "what  is IT")
    assert not same_words("What is it?", "What was it?")
