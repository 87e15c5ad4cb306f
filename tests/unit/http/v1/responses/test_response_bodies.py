"""Which bodies `/v1/responses` accepts and refuses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rag.errors import ContextLengthExceeded, InvalidFilter, VectorStoreNotFound
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.servers.edge_service import an_edge
from tests.support.v1.response_calls import ADD, CITED, HITS, SEARCH, create_response
from tests.support.v1.v1_client import error_of

PART: Any = {"type": "input_audio", "input_audio": {"data": "x"}}
CALL: Any = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}
OUTPUT: Any = {"type": "function_call_output", "call_id": "call_1", "output": "3"}
REQUIRED: Any = {"tool_choice": "required"}
NAMED: Any = {"type": "function", "name": "add"}


def allowed(mode: str, *tools: Any) -> Any:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


INVALID: list[tuple[str, Any]] = [
    ("input", {"input": ""}), ("input", {"input": []}), ("input", {"input": None}), ("input", {"input": 3}),
    ("input.0", {"input": ["a"]}), ("input.0.role", {"input": [{"content": "a"}]}),
    ("input.0.content", {"input": [{"role": "user"}]}), ("input.0.role", {"input": [{"role": "tool", "content": "a"}]}),
    ("input.0.content.0.type", {"input": [{"role": "user", "content": [PART]}]}),
    ("input.0.content", {"input": [{"role": "user", "content": 1}]}),
    ("input.0.id", {"input": [{"type": "item_reference"}]}),
    ("input.0.type", {"input": [{"type": "computer_call", "call_id": "x"}]}),
    ("input.0.call_id", {"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]}),
    ("input.1.output", {"input": [CALL, {"type": "function_call_output", "call_id": "call_1"}]}),
    ("input.1.output.0.type", {"input": [CALL, {**OUTPUT, "output": [PART]}]}),
    ("input.1.content", {"input": [CALL, {**OUTPUT, "content": "a"}]}),
    ("input.0.call_id", {"input": [{**CALL, "call_id": None}]}), ("input.0.name", {"input": [{**CALL, "name": None}]}),
    ("input.0.arguments", {"input": [{**CALL, "arguments": "{"}]}),
    ("input.0.arguments", {"input": [{**CALL, "arguments": "[" * 100_000}]}),
    ("input.0.output", {"input": [{"role": "user", "content": "a", "output": "b"}]}),
    ("input.1.type", {"model": "rag", "input": [CALL, OUTPUT]}),
    ("input", {"input": [{"type": "file_search_call", "id": "x", "queries": []}]}),
    ("instructions", {"instructions": ["a"]}), ("temperature", {"temperature": 3}), ("top_p", {"top_p": 0}),
    ("max_output_tokens", {"max_output_tokens": 0}), ("max_tokens", {"max_tokens": 5}), ("n", {"n": 2}),
    ("previous_response_id", {"previous_response_id": ""}), ("conversation", {"conversation": {}}),
    ("conversation", {"conversation": ""}), ("conversation", {"conversation": {"id": 3}}),
    ("conversation", {"conversation": {"id": "conv_1"}, "previous_response_id": "resp_1"}),
    ("prompt", {"prompt": {"id": "pmpt_1"}}), ("moderation", {"moderation": {"model": "x"}}),
    ("reasoning.mode", {"reasoning": {"mode": "pro"}}), ("input.0.type", {"input": [{"type": "computer_call"}]}),
    ("tools.0.allowed_callers.0", {"tools": [{**ADD, "allowed_callers": ["programmatic"]}]}),
    ("store", {"store": "yes"}), ("background", {"background": True, "store": False}),
    ("input.0.colour", {"input": [{"role": "user", "content": "a", "colour": 1}]}), ("logprobs", {"logprobs": 2}),
    ("best_of", {"best_of": 2}), ("include.0", {"include": ["code"]}),
    ("top_logprobs", {"top_logprobs": 21}), ("truncation", {"truncation": "auto"}), ("stream", {"stream": "yes"}),
    ("stream_options.other", {"stream_options": {"other": False}}), ("service_tier", {"service_tier": "gold"}),
    ("prompt_cache_retention", {"prompt_cache_retention": "1h"}), ("metadata.a", {"metadata": {"a": 1}}),
    ("reasoning.effort", {"reasoning": {"effort": "huge"}}), ("text.verbosity", {"text": {"verbosity": "low"}}),
    ("text.format.type", {"text": {"format": {"type": "xml"}}}), ("nonsense", {"nonsense": 1}),
    ("text.format.schema", {"text": {"format": {"type": "json_schema", "name": "x"}}}),
    ("text.format.name", {"text": {"format": {"type": "json_schema", "schema": {}}}}),
    ("text.format", {"text": {"format": {"type": "json_object"}}, "structured_outputs": {"regex": "a"}}),
    ("structured_outputs", {"structured_outputs": {"regex": "("}}),
    ("text.format", {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "nonsense"}}}}),
    ("tools.0.type", {"tools": [{"type": "web_search"}]}), ("tools", {"tools": [SEARCH, SEARCH]}),
    ("tools.0.type", {"tools": [{"type": "custom", "name": "f"}]}), ("tools.0", {"tools": ["f"]}),
    ("tools.0.name", {"tools": [{"type": "function", "name": "a b"}]}), ("tools", {"tools": [ADD, ADD]}),
    ("tools.1.parameters", {"tools": [SEARCH, {**ADD, "parameters": []}]}),
    ("tools.0.colour", {"tools": [{**ADD, "colour": 1}]}),
    ("tools.1.parameters.$defs", {"tools": [ADD, {**ADD, "name": "b", "parameters": {"$defs": 1}}], **REQUIRED}),
    ("text.format", {"tools": [ADD], "text": {"format": {"type": "json_object"}}}),
    ("structured_outputs", {"tools": [ADD], "structured_outputs": {"regex": "a"}}),
    ("tools", {"tools": [{**ADD, "parameters": {"type": "nonsense"}}], "tool_choice": NAMED}),
    ("text.format", {"model": "rag", "tools": [ADD], **REQUIRED, "text": {"format": {"type": "json_object"}}}),
    ("tool_choice", {"tools": [ADD], "tool_choice": {"type": "file_search"}}),
    ("tool_choice", {"tools": [ADD], "tool_choice": {"type": "function", "name": "other"}}),
    ("tool_choice", {"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "add"}}}),
    ("tool_choice", {"tools": [ADD], "tool_choice": allowed("auto")}),
    ("tool_choice", {"tools": [ADD], "tool_choice": allowed("none", {"type": "function", "name": "add"})}),
    ("tool_choice", {"tools": [ADD], "tool_choice": allowed("auto", {"type": "file_search"})}),
    ("tool_choice", {"tools": [ADD], "tool_choice": allowed("auto", {"type": "web_search"})}),
    ("tool_choice", {"tools": [SEARCH], "tool_choice": NAMED}),
    ("tools.0.vector_store_ids", {"tools": [{"type": "file_search"}]}),
    ("tools.0.vector_store_ids", {"tools": [{"type": "file_search", "vector_store_ids": []}]}),
    ("tools.0.vector_store_ids", {"tools": [{"type": "file_search", "vector_store_ids": ["a"] * 11}]}),
    ("tools.0.max_num_results", {"tools": [{**SEARCH, "max_num_results": 51}]}),
    ("tools.0.ranking_options.ranker", {"tools": [{**SEARCH, "ranking_options": {"ranker": "best"}}]}),
    ("tool_choice", {"tool_choice": "required"}), ("tool_choice", {"tool_choice": {"type": "file_search"}}),
    ("tool_choice", {"tools": [SEARCH], "tool_choice": {"type": "web_search"}}),
    ("tool_choice", {"model": "rag", "tool_choice": "none"}),
    ("input.0.role", {"model": "rag", "input": [{"role": "assistant", "content": "a"}]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def refused() -> Any:
    """Each request gets its own service: a shared one would need a shared event loop."""

    async def ask(body: Any) -> httpx.Response:
        async with an_edge(FakeGenerator(CITED), FakeRetriever(HITS)) as edge:
            response = await create_response(edge, **body)
            assert edge.generator.running == 0
            return response

    return ask


async def test_nulls_mean_left_out(refused: Any) -> None:
    names = (
        "previous_response_id", "conversation", "prompt", "prompt_cache_retention", "context_management", "tools",
        "tool_choice", "include", "background", "store", "text", "reasoning", "logprobs", "best_of",
    )  # fmt: skip
    response = await refused(dict.fromkeys(names))
    assert response.status_code == 200, response.text


async def test_options_that_do_not_change_an_answer_are_accepted(refused: Any) -> None:
    breakpoint_: Any = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    part: Any = {"type": "input_text", "text": "a", **breakpoint_}
    tool: Any = {**ADD, "output_schema": {"type": "object"}, "allowed_callers": ["direct"]}
    body: Any = {
        "input": [{"role": "user", "content": [part]}],
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "reasoning": {"summary": "detailed", "generate_summary": "concise", "mode": "standard", "context": "auto"},
        "tools": [tool],
        "tool_choice": "none",
    }
    response = await refused(body)
    assert response.status_code == 200, response.text
    shown = response.json()
    assert (shown["prompt"], shown["moderation"], shown["reasoning"]["summary"]) == (None, None, None)


async def test_items_of_a_response_can_be_sent_back_with_unknown_fields(refused: Any) -> None:
    part: Any = {"type": "output_text", "text": "yes", "annotations": [], "logprobs": [], "parsed": None}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"type": "file_search_call", "id": "x", "queries": ["a"], "results": None, "status": "completed", "extra": 1},
        {"type": "message", "role": "assistant", "content": [part], "provider_specific_fields": {}},
        {"role": "user", "content": "b"},
    ]
    response = await refused({"input": items})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(("param", "body"), INVALID, ids=lambda value: str(value)[:50])
async def test_a_refusal_of_an_invalid_body_names_the_field(refused: Any, param: str, body: Any) -> None:
    response = await refused(body)
    assert error_of(response) == (400, "invalid_request", param), response.text
    assert response.json()["error"]["message"].startswith(f"{param}: ")


async def test_an_empty_question_is_refused(refused: Any) -> None:
    assert error_of(await refused({"model": "rag", "input": " "})) == (400, "empty_question", "input")


async def test_an_unknown_model_is_not_found(refused: Any) -> None:
    assert error_of(await refused({"model": "gpt-5"})) == (404, "model_not_found", "model")
    assert error_of(await refused({"model": "the-encoder"})) == (400, "invalid_request", "model")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (VectorStoreNotFound("there is no vector store 'plants'"), (404, "vector_store_not_found", "tools")),
        (InvalidFilter("filters.key: is no", param="filters.key"), (400, "invalid_filter", "tools.0.filters.key")),
        (ContextLengthExceeded("question: is too long", param="question"), (400, "context_length_exceeded", "input")),
    ],
)
async def test_a_refusal_of_the_search_names_the_field_of_the_request(failure: Any, expected: Any) -> None:
    async with an_edge(retriever=FakeRetriever(failure=failure)) as edge:
        for stream in (False, True):
            assert error_of(await create_response(edge, tools=[SEARCH], stream=stream)) == expected
        expected = (*expected[:2], expected[2].replace("tools.0", "tools.1"))
        assert error_of(await create_response(edge, tools=[ADD, SEARCH])) == expected


async def test_a_refusal_of_max_output_tokens_names_that_field() -> None:
    async with an_edge(FakeGenerator(context_tokens=10)) as edge:
        response = await create_response(edge, max_output_tokens=50)
        assert error_of(response) == (400, "context_length_exceeded", "max_output_tokens")
