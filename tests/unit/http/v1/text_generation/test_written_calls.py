"""Calls as a part of the text, for models whose own form of calls is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.http.v1.function_calling.written_calls import WrittenCalls, written_messages
from rag.types import JsonObject
from tests.unit.http.v1.text_generation.test_tools import CALLS, join_calls

TOOL: Any = {"type": "function", "function": {"name": "add"}}
WORDS = st.text(st.sampled_from("a `\n{"), max_size=12).filter(lambda text: "```" not in text)


def read(text: str, sizes: list[int]) -> tuple[str, list[tuple[str, str]]]:
    reader, at = WrittenCalls(), 0
    found = []
    while at < len(text):
        size = sizes[at % len(sizes)]
        found.append(reader.feed(text[at : at + size]))
        at += size
    found.append(reader.close())
    return "".join(one.text for one in found), join_calls([part for one in found for part in one.calls])


@given(WORDS, CALLS, st.lists(st.integers(1, 30), min_size=1))
def test_calls_are_found_for_any_chunk_size(said: str, calls: list[tuple[str, JsonObject]], sizes: list[int]) -> None:
    blocks = [f"```tool_call\n{json.dumps({'name': name, 'arguments': given})}\n```\n" for name, given in calls]
    text, found = read(f"{said}\n\n{''.join(blocks)}", sizes)
    assert text == said.rstrip()
    assert [(name, json.loads(arguments)) for name, arguments in found] == calls


@pytest.mark.parametrize("text", ["", "Yes.\n", "```python\nx\n``` or ```", "a ```tool_cal", "``` \n"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_text_without_calls_stays_as_it_is(text: str, size: int) -> None:
    assert read(text, [size]) == (text, [])


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('Well. ```tool_call\n{"name": "add", "arguments": {"a": 1', [("add", '{"a": 1')]),
        ('Well. ```tool_call\n{"name": "ad', []),
        ('Well. ```tool_call\n{"name": "add", "arguments": {}}\n``', [("add", "{}")]),
    ],
)
def test_a_call_that_is_cut_is_passed_on_as_far_as_it_goes(text: str, calls: Any) -> None:
    assert read(text, [4]) == ("Well.", calls)


def test_the_conversation_has_instructions_and_calls_as_text() -> None:
    function = {"name": "add", "arguments": '{"a": 1}'}
    call = {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": function}]}
    output = {"role": "tool", "tool_call_id": "1", "content": "2"}
    user = {"role": "user", "content": "Add."}
    system, *turns = written_messages([{"role": "system", "content": "Be brief."}, user, call, output, output], [TOOL])
    assert system["content"].startswith("Be brief.\n\nYou have these functions:\n\n" + '{"name": "add"}')
    assert '```tool_call\n{"name": "add", "arguments": {...}}\n```' in system["content"]
    assert turns == [
        user,
        {"role": "assistant", "content": '```tool_call\n{"name": "add", "arguments": {"a": 1}}\n```'},
        {"role": "user", "content": "The function returned:\n2\n\nThe function returned:\n2"},
    ]
