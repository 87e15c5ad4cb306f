"""Tool calls that vLLM's own parser extracts from text."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rag.errors import RagError
from rag.ports import TokenStream
from rag.types import Chat, JsonObject, StreamEnd, TextDelta, Usage
from tests.integration.vllm.conftest import VllmProcess

pytestmark = pytest.mark.integration

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Köln"}}</tool_call>'
TEXTS = ["The weather is fine.", f"Let me see. {CALL}", f"{CALL}\n{CALL}", '<tool_call>{"name": "get_wea', ""]


def parse_texts(folder: str, texts: Sequence[str], tool: JsonObject) -> dict[str, Any]:
    from transformers import AutoTokenizer

    from rag.adapters.vllm.parsers.tools import ToolCalls

    tokenizer: Any = AutoTokenizer
    tokenizer = tokenizer.from_pretrained(folder)
    chat = Chat((), (tool,), {}, True)

    async def stream_of(text: str) -> TokenStream:
        for start in range(0, len(text), 7):
            yield TextDelta(text[start : start + 7])
        yield StreamEnd("stop", Usage(1, 2))

    async def parse(text: str) -> list[dict[str, Any]]:
        calls = ToolCalls("hermes", tokenizer, chat)
        *deltas, end = [delta async for delta in calls.parse(stream_of(text))]
        assert end == StreamEnd("stop", Usage(1, 2))
        assert all(isinstance(delta, TextDelta) for delta in deltas)
        return [dataclasses.asdict(delta) for delta in deltas]

    def refusal(parser: str | None, tools: tuple[JsonObject, ...]) -> list[str | None]:
        with pytest.raises(RagError) as refused:
            ToolCalls(parser, tokenizer, Chat((), tools, {}, True))
        return [refused.value.param, refused.value.message]

    calls = ToolCalls("hermes", tokenizer, chat)
    return {
        "read": [asyncio.run(parse(text)) for text in texts],
        "refusals": [refusal(None, (tool,)), refusal("hermes", ({"type": "function"},))],
        "sampling": [calls.sampling({}), calls.sampling({"skip_special_tokens": True})],
    }


HERMES = "{% if tools %}within <tool_call></tool_call> XML tags{% endif %}"
LLAMA = '{% if tools %}{"name": function name, "parameters": dictionary of argument name and its value}{% endif %}'


def chosen_parsers(folder: str, templates: Sequence[Any]) -> list[str | None]:
    from transformers import AutoTokenizer

    from rag.adapters.vllm.parsers.tool_parser_choice import chosen_parser

    tokenizer: Any = AutoTokenizer
    tokenizer = tokenizer.from_pretrained(folder)
    chosen = [chosen_parser(tokenizer)]
    for template in templates:
        tokenizer.chat_template = template
        chosen.append(chosen_parser(tokenizer))
    return chosen


def test_the_parser_is_chosen_by_the_chat_template(vllm_process: VllmProcess, language_model: Path) -> None:
    """Llama's needs a token that this vocabulary lacks."""
    templates = [HERMES, {"default": "", "tool_use": HERMES}, LLAMA, None]
    assert vllm_process.run(chosen_parsers, str(language_model), templates) == [None, "hermes", "hermes", None, None]


def unknown_parsers() -> list[str]:
    from vllm.tool_parsers import ToolParserManager

    from rag.adapters.vllm.parsers.tool_parser_choice import BY_MARKS

    known = {*ToolParserManager.list_registered()}
    return [parser for parser, _ in BY_MARKS if parser not in known]


def test_vllm_has_every_parser_that_may_be_chosen(vllm_process: VllmProcess) -> None:
    assert vllm_process.run(unknown_parsers) == []


@pytest.fixture(scope="module")
def vllm(vllm_process: VllmProcess, language_model: Path) -> Any:
    return vllm_process.run(parse_texts, str(language_model), TEXTS, TOOL)


def test_calls_are_found_in_text(vllm: Any) -> None:
    plain_text, text_and_call, two_calls, truncated_call, empty = vllm["read"]
    assert [delta["text"] for delta in plain_text] == ["The weather is fine."]
    assert plain_text[0]["tool_calls"] == []
    assert text_and_call[0]["text"] == "Let me see."
    (call,) = text_and_call[0]["tool_calls"]
    assert (call["index"], call["type"]) == (0, "function")
    assert call["id"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Köln"}
    assert [call["index"] for call in two_calls[0]["tool_calls"]] == [0, 1]
    assert len({call["id"] for call in two_calls[0]["tool_calls"]}) == 2
    assert truncated_call[0]["text"].startswith("<tool_call>")
    assert empty == []


def test_without_a_parser_the_option_is_named(vllm: Any) -> None:
    (param, message), _ = vllm["refusals"]
    assert param == "tool_choice"
    assert "RAG_LLM__TOOL_PARSER" in message


def test_an_invalid_tool_is_refused(vllm: Any) -> None:
    assert vllm["refusals"][1] == ["tools", "tools: 0.function: Field required"]


def test_special_tokens_stay_in_the_text(vllm: Any) -> None:
    assert vllm["sampling"] == [{"skip_special_tokens": False}, {"skip_special_tokens": True}]
