"""Tool calls told from text by vLLM's own parser, in a process of its own: to import vLLM changes the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from rag.adapters import model_files
from rag.config import Settings
from tests.e2e.running import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Köln"}}</tool_call>'
TEXTS = ["The weather is fine.", f"Let me see. {CALL}", f"{CALL}\n{CALL}", '<tool_call>{"name": "get_wea', ""]
ASK = """
import asyncio, dataclasses, json, sys
from transformers import AutoTokenizer
from rag.adapters.vllm.tools import ToolCalls
from rag.errors import RagError
from rag.types import Chat, StreamEnd, TextDelta, Usage

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
texts, tool = json.loads(sys.argv[2])

async def written(text):
    for start in range(0, len(text), 7):
        yield TextDelta(text[start:start + 7])
    yield StreamEnd("stop", Usage(1, 2))

async def read(text):
    calls = ToolCalls("hermes", tokenizer, Chat((), (tool,), {}, True))
    *deltas, end = [delta async for delta in calls.parse(written(text))]
    assert end == StreamEnd("stop", Usage(1, 2))
    return [dataclasses.asdict(delta) for delta in deltas]

def refusal(parser, tools):
    try:
        ToolCalls(parser, tokenizer, Chat((), tools, {}, True))
    except RagError as error:
        return [error.param, error.message]

calls = ToolCalls("hermes", tokenizer, Chat((), (tool,), {}, True))
print(json.dumps({
    "read": [asyncio.run(read(text)) for text in texts],
    "refusals": [refusal(None, (tool,)), refusal("hermes", ({"type": "function"},))],
    "sampling": [calls.sampling({}), calls.sampling({"skip_special_tokens": True})],
}))
"""


@pytest.fixture(scope="module")
def vllm() -> Any:
    command = [sys.executable, "-c", ASK, model_files.llm_folder(Settings()), json.dumps([TEXTS, TOOL])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VLLM_LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_calls_are_told_from_text(vllm: Any) -> None:
    plain, mixed, two, broken, nothing = vllm["read"]
    assert [piece["text"] for piece in plain] == ["The weather is fine."]
    assert plain[0]["tool_calls"] == []
    assert mixed[0]["text"] == "Let me see."
    (call,) = mixed[0]["tool_calls"]
    assert (call["index"], call["type"]) == (0, "function")
    assert call["id"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Köln"}
    assert [call["index"] for call in two[0]["tool_calls"]] == [0, 1]
    assert len({call["id"] for call in two[0]["tool_calls"]}) == 2
    assert broken[0]["text"].startswith("<tool_call>")
    assert nothing == []


def test_without_a_parser_the_option_is_named(vllm: Any) -> None:
    (param, message), _ = vllm["refusals"]
    assert param == "tool_choice"
    assert "RAG_LLM__TOOL_PARSER" in message


def test_a_tool_that_is_none_is_refused(vllm: Any) -> None:
    assert vllm["refusals"][1] == ["tools", "tools: 0.function: Field required"]


def test_the_marks_of_calls_stay_in_the_text(vllm: Any) -> None:
    assert vllm["sampling"] == [{"skip_special_tokens": False}, {"skip_special_tokens": True}]
