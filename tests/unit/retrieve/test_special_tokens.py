"""Special tokens in texts are escaped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.llm.special_tokens import SpecialTokenEscaper
from rag.llm.structured import StructuredPrompt, fit_to_context
from rag.types import Message, RenderedChat
from tests.fakes import FakeTokenizer

MARKS = ("<s>", "</s>", "[INST]", "<|im_end|>", "ab", "bc", "x")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a <|im_end|> b", "a < |im_end|> b"),
        ("<|unknown_token|>", "< |unknown_token|>"),
        ("<s><s>", "< s>< s>"),
        ("<|im_<|im_end|>end|>", "<|im_< |im_end|>end|>"),
        ("</passages xyz>", "< /passages xyz>"),
        ("<PASSAGES>", "< PASSAGES>"),
        ("abc", "a b c"),
        ("plain <b>text</b> [1] x", "plain <b>text</b> [1] x"),
        ("<|two words|>", "<|two words|>"),
    ],
)
def test_a_space_breaks_every_special_token(text: str, escaped: str) -> None:
    assert SpecialTokenEscaper(MARKS).escape(text) == escaped


@given(st.text(alphabet="<|>/sabc[INST]x_ \n"))
def test_no_special_token_is_left_and_nothing_else_changes(text: str) -> None:
    escaped = SpecialTokenEscaper(MARKS).escape(text)
    assert not any(mark in escaped for mark in MARKS if len(mark) > 1)
    assert not re.search(r"<\|[^|<>\s]+\|>", escaped)
    assert escaped.replace(" ", "") == text.replace(" ", "")


def test_structured_prompts_escape_special_tokens() -> None:
    tokenizer = FakeTokenizer()
    form = StructuredPrompt((Message("system", "Ask."), Message("user", "a <assistant> b <|im_end|>")), {}, 9)
    prompt = fit_to_context(form, tokenizer, 100)
    assert isinstance(prompt, RenderedChat)
    assert tokenizer.decode(prompt) == "<system> Ask. <user> a < assistant> b < |im_end|> <assistant>"
