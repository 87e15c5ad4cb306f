"""The variables that a request passes to the chat template."""

from __future__ import annotations

from typing import Any

import pytest

from rag.errors import InvalidRequest
from rag.llm.template_values import NO_THINKING, known_variables, template_variables


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"mood": "calm"}, {"mood": "calm"}),
        ({"reasoning_effort": "none"}, {"reasoning_effort": "none", **NO_THINKING}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low", "enable_thinking": True, "thinking": True}),
        (
            {"reasoning_effort": "low", "enable_thinking": False},
            {"reasoning_effort": "low", "enable_thinking": False, "thinking": True},
        ),
    ],
    ids=str,
)
def test_effort_switches_thinking_on_or_off_unless_the_request_does(
    values: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert template_variables(values) == expected


@pytest.mark.parametrize("name", ["messages", "tokenize", "add_generation_prompt"])
def test_arguments_of_the_tokenizer_cannot_be_set(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        template_variables({name: 1})
    assert refused.value.param == "chat_template_kwargs"


def test_a_template_gets_only_the_switch_that_it_has() -> None:
    values = {**NO_THINKING, "mood": "calm"}
    assert known_variables(values, "{{ think }}{% if thinking %}") == {"thinking": False, "mood": "calm"}
    assert known_variables(values, {"default": "{% if mood %}"}) == {"mood": "calm"}
    assert known_variables(values, None) == {"mood": "calm"}
