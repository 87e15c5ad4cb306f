"""Function calls: chosen by the model, named by the request, or required."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from rag.http.v1.function_calling.call_reader import CallList, NamedCall
from rag.types import JsonObject
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.v1.v1_client import error_of
from tests.unit.http.v1.text_generation.test_chat import chunks
from tests.unit.http.v1.text_generation.test_chat_rag import HITS


def function(name: str, **parameters: Any) -> JsonObject:
    schema = {"type": "object", "properties": parameters, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}


ADD = function("add", a={"type": "integer"}, b={"type": "integer"})
SAY = function("say", text={"type": "string"})
CALLED = ({"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}},)


async def streamed_calls(edge: EdgeService, **body: Any) -> tuple[list[JsonObject], str]:
    """The calls as OpenAI's client joins them, and the finish reason."""
    async with edge.openai() as client:
        messages: Any = [{"role": "user", "content": "Hello there"}]
        async with client.chat.completions.stream(model=MODEL, messages=messages, **body) as stream:
            final = await stream.get_final_completion()
    calls = [call.to_dict() for call in final.choices[0].message.tool_calls or ()]
    functions: list[Any] = [call["function"] for call in calls]
    return [{"name": one["name"], "arguments": one["arguments"]} for one in functions], final.choices[0].finish_reason


def functions_of(message: JsonObject) -> list[JsonObject]:
    return [call["function"] for call in message["tool_calls"]]


async def test_a_named_tool_choice_forces_that_function() -> None:
    arguments = '{"a": 1, "b": 22}'
    tool_choice = {"type": "function", "function": {"name": "add"}}
    async with an_edge(FakeGenerator(arguments)) as edge:
        result = (await edge.chat(tools=[ADD, SAY], tool_choice=tool_choice)).json()
        assert ChatCompletion.model_validate(result, strict=True).to_dict() == result
        choice = result["choices"][0]
        assert functions_of(choice["message"]) == [{"name": "add", "arguments": arguments}]
        assert (choice["message"]["content"], choice["finish_reason"]) == (None, "stop")  # as OpenAI does
        prompt, sampling, _ = edge.generator.requests[-1]
        assert sampling["structured_outputs"] == {"json": ADD["function"]["parameters"]}
        assert (len(prompt.tools), prompt.calls_tools) == (2, False)
        calls = await streamed_calls(edge, tools=[ADD, SAY], tool_choice=tool_choice)
        assert calls == ([{"name": "add", "arguments": arguments}], "stop")


async def test_arguments_are_returned_as_generated() -> None:
    tool_choice = {"type": "function", "function": {"name": "add"}}
    async with an_edge(FakeGenerator('{"a": 1, "b": 2}')) as edge:
        streamed = chunks(await edge.chat(tools=[ADD], tool_choice=tool_choice, stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed]
    assert deltas[0] == {"role": "assistant", "content": None}
    assert max(len(delta.get("tool_calls", ())) for delta in deltas) == 1, "LlamaIndex reads only the first of a chunk"
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert [call.get("id", "")[:5] for call in calls] == ["call_", *[""] * 4]
    assert [call["function"]["arguments"] for call in calls] == ["", '{"a": ', "1, ", '"b": ', "2}"]


async def test_a_function_without_parameters() -> None:
    tool = {"type": "function", "function": {"name": "now"}}
    async with an_edge(FakeGenerator("{}")) as edge:
        response = await edge.chat(tools=[tool], tool_choice={"type": "function", "function": {"name": "now"}})
        assert functions_of(response.json()["choices"][0]["message"]) == [{"name": "now", "arguments": "{}"}]
        schema = edge.generator.requests[-1][1]["structured_outputs"]["json"]
        assert schema == {"type": "object", "properties": {}}


GENERATED = (
    '[{"name": "add", "parameters": {"a": 1, "b": [2, {"c": "x]}"}]}}, {"name":"say","parameters":{"text":"\\"}, "}}]'
)


async def test_tool_choice_required_forces_a_call() -> None:
    async with an_edge(FakeGenerator(GENERATED)) as edge:
        result = (await edge.chat(tools=[ADD, SAY], tool_choice="required")).json()
        choice = result["choices"][0]
        expected = [
            {"name": "add", "arguments": '{"a": 1, "b": [2, {"c": "x]}"}]}'},
            {"name": "say", "arguments": '{"text":"\\"}, "}'},
        ]
        assert functions_of(choice["message"]) == expected
        assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")
        assert await streamed_calls(edge, tools=[ADD, SAY], tool_choice="required") == (expected, "tool_calls")
        schema = edge.generator.requests[-1][1]["structured_outputs"]["json"]
        assert (schema["type"], schema["minItems"], "maxItems" in schema) == ("array", 1, False)
        assert [one["properties"]["name"]["enum"] for one in schema["items"]["anyOf"]] == [["add"], ["say"]]
        await edge.chat(tools=[ADD, SAY], tool_choice="required", parallel_tool_calls=False)
        assert edge.generator.requests[-1][1]["structured_outputs"]["json"]["maxItems"] == 1


async def test_a_truncated_call_has_finish_reason_length() -> None:
    async with an_edge(FakeGenerator(GENERATED)) as edge:
        choice = (await edge.chat(tools=[ADD, SAY], tool_choice="required", max_tokens=5)).json()["choices"][0]
        assert choice["finish_reason"] == "length"
        assert functions_of(choice["message"]) == [{"name": "add", "arguments": '{"a": 1, '}]


async def test_output_that_violates_the_call_schema_is_reported() -> None:
    for text in ("I would rather talk.", '[{name: "add"}]'):
        async with an_edge(FakeGenerator(text)) as edge:
            response = await edge.chat(tools=[ADD], tool_choice="required")
            assert error_of(response)[:2] == (503, "dependency_unavailable")
            assert '"error"' in (await edge.chat(tools=[ADD], tool_choice="required", stream=True)).text


async def test_schema_definitions_are_hoisted_to_the_root() -> None:
    point = {"type": "object", "properties": {"x": {"type": "integer"}}}
    move = function("move", to={"$ref": "#/$defs/Point"})
    move["function"]["parameters"]["$defs"] = {"Point": point}
    other = json.loads(json.dumps(move).replace('"move"', '"draw"'))
    async with an_edge(FakeGenerator('[{"name":"move","parameters":{}}]')) as edge:
        assert (await edge.chat(tools=[move, other], tool_choice="required")).status_code == 200
        schema = edge.generator.requests[-1][1]["structured_outputs"]["json"]
        assert schema["$defs"] == {"Point": point}
        assert "$defs" not in schema["items"]["anyOf"][0]["properties"]["parameters"]
        other["function"]["parameters"]["$defs"]["Point"] = {"type": "string"}
        response = await edge.chat(tools=[move, other], tool_choice="required")
        assert error_of(response) == (400, "invalid_request", "tools.1.function.parameters.$defs")


async def test_tool_choice_auto_leaves_the_choice_to_the_model() -> None:
    both_calls = (CALLED[0], {**CALLED[0], "id": "call_2"})
    async with an_edge(FakeGenerator("text", tool_calls=both_calls)) as edge:
        choice = (await edge.chat(tools=[ADD])).json()["choices"][0]
        assert choice["message"]["tool_calls"] == list(both_calls)
        assert choice["finish_reason"] == "tool_calls"
        assert edge.generator.requests[-1][0].calls_tools
        assert await streamed_calls(edge, tools=[ADD]) == ([call["function"] for call in both_calls], "tool_calls")
        one = (await edge.chat(tools=[ADD], tool_choice="auto", parallel_tool_calls=False)).json()["choices"][0]
        assert one["message"]["tool_calls"] == [both_calls[0]]
        without_tools = (await edge.chat(tools=[ADD], tool_choice="none")).json()["choices"][0]
        assert (without_tools["message"]["content"], without_tools["finish_reason"]) == ("text", "stop")
        assert edge.generator.requests[-1][0].tools == ()


@pytest.mark.parametrize("choice", [{}, {"tool_choice": "auto"}, {"tool_choice": None}])
async def test_model_rag_ignores_functions_that_need_not_be_called(choice: dict[str, Any]) -> None:
    async with an_edge(retriever=FakeRetriever(HITS)) as edge:
        body: Any = {"model": "rag", "tools": [ADD], **choice}
        message = (await edge.chat(**body)).json()["choices"][0]["message"]
        assert message["content"]
        assert "tools: ignored" in message["rag"]["note"]
        last = chunks(await edge.chat(**body, stream=True))[-1]["choices"][0]["delta"]
        assert last["rag"]["note"] == message["rag"]["note"]
        without = (await edge.chat(**{**body, "tool_choice": "none"})).json()["choices"][0]["message"]
        assert "note" not in without["rag"]


WRITTEN = 'Let me add.\n```tool_call\n{"name": "add", "arguments": {"a": 1}}\n```\n'
NO_PARSER: Any = {"tool_parser": None}


async def test_a_model_without_a_parser_writes_calls_in_the_text() -> None:
    async with an_edge(FakeGenerator(WRITTEN), facts=NO_PARSER) as edge:
        choice = (await edge.chat(tools=[ADD, SAY])).json()["choices"][0]
        assert functions_of(choice["message"]) == [{"name": "add", "arguments": '{"a": 1}'}]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("Let me add.", "tool_calls")
        prompt, sampling, _ = edge.generator.requests[-1]
        assert (prompt.tools, prompt.calls_tools, prompt.messages[0]["role"]) == ((), False, "system")
        assert '"name": "add"' in prompt.messages[0]["content"]
        structures = sampling["structured_outputs"]["structural_tag"]["structures"]
        assert [one["schema"] for one in structures] == [one["function"]["parameters"] for one in (ADD, SAY)]
        calls = await streamed_calls(edge, tools=[ADD, SAY])
        assert calls == ([{"name": "add", "arguments": '{"a": 1}'}], "tool_calls")
        edge.generator.text = "No call.\n"
        choice = (await edge.chat(tools=[ADD], logprobs=True)).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("No call.\n", "stop")
        assert [one["token"] for one in choice["logprobs"]["content"]] == ["No ", "call.\n"]
        assert "tool_calls" not in choice["message"]


async def test_a_model_without_a_parser_ignores_functions_beside_a_form_of_text() -> None:
    async with an_edge(FakeGenerator("{}"), facts=NO_PARSER) as edge:
        choice = (await edge.chat(tools=[ADD], response_format={"type": "json_object"})).json()["choices"][0]
        assert (choice["message"]["content"], "tools: ignored" in choice["message"]["rag"]["note"]) == ("{}", True)
        last = chunks(await edge.chat(tools=[ADD], response_format={"type": "json_object"}, stream=True))[-1]
        assert last["choices"][0]["delta"]["rag"] == choice["message"]["rag"]


@pytest.mark.parametrize("stream", [False, True])
async def test_model_rag_answers_with_a_call_if_it_must(stream: bool) -> None:
    body: Any = {"model": "rag", "tools": [ADD], "tool_choice": "required", "stream": stream}
    async with an_edge(FakeGenerator('[{"name": "add", "parameters": {"a": 1}}]'), FakeRetriever(HITS)) as edge:
        answer = await edge.chat(**body)
        assert '"add"' in answer.text
        assert HITS[0].chunk.filename in answer.text
        assert "tool_calls" in answer.text
        assert '"name": "add"' in edge.retriever.prepared[0]["system"]
        assert edge.generator.requests[-1][1]["structured_outputs"]["json"]["type"] == "array"
    async with an_edge(FakeGenerator("unused"), FakeRetriever()) as edge:
        answer = await edge.chat(**body)
        assert "I found nothing" in answer.text
        assert "no_sources" in answer.text
        assert edge.generator.requests == []


def allowed(mode: str, *tools: JsonObject) -> JsonObject:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


async def test_allowed_tools_limit_the_functions() -> None:
    async with an_edge(FakeGenerator(GENERATED)) as edge:
        await edge.chat(tools=[ADD, SAY], tool_choice=allowed("required", SAY))
        prompt, sampling, _ = edge.generator.requests[-1]
        schema = sampling["structured_outputs"]["json"]
        assert [one["properties"]["name"]["enum"] for one in schema["items"]["anyOf"]] == [["say"]]
        assert list(prompt.tools) == [ADD, SAY]
        await edge.chat(tools=[ADD, SAY], tool_choice=allowed("auto", SAY))
        assert edge.generator.requests[-1][0].tools == (SAY,)


BROKEN = {"type": "function", "function": {"name": "f", "parameters": {"type": "nonsense"}}}
STRUCTURE = "structured_outputs"
NAMED_F = {"type": "function", "function": {"name": "f"}}
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"tools": [], "tool_choice": "required"}, "tool_choice"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
    ({"tools": [{"type": "function", "function": {"name": "a", "parameters": "{}"}}]}, "tools.0.function.parameters"),
    ({"tools": [ADD, ADD]}, "tools"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tools": [ADD], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
    ({"tools": [ADD], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
    ({"tools": [ADD], "tool_choice": allowed("auto")}, "tool_choice"),
    ({"tools": [ADD], "tool_choice": allowed("auto", SAY)}, "tool_choice"),
    ({"tools": [ADD], "tool_choice": allowed("auto", {"type": "function", "name": "add"})}, "tool_choice"),
    ({"tools": [BROKEN], "tool_choice": NAMED_F}, "tools"),
    ({"tools": [ADD], "response_format": {"type": "json_object"}}, "response_format"),
    ({"tools": [ADD], "tool_choice": "required", "structured_outputs": {"regex": "a"}}, STRUCTURE),
    ({"tools": [ADD], "model": "rag", "tool_choice": "required", "structured_outputs": {"regex": "a"}}, STRUCTURE),
]


async def test_a_refusal_names_the_invalid_field() -> None:
    async with an_edge() as edge:
        for body, param in INVALID:
            assert (body, *error_of(await edge.chat(**body))) == (body, 400, "invalid_request", param)


def join_calls(parts: Sequence[JsonObject]) -> list[tuple[str, str]]:
    calls: list[tuple[str, str]] = []
    for part in parts:
        if part["index"] == len(calls):
            calls.append((part["function"]["name"], part["function"]["arguments"]))
        else:
            name, arguments = calls[part["index"]]
            calls[part["index"]] = (name, arguments + part["function"]["arguments"])
    return calls


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), VALUES, max_size=3)), min_size=1, max_size=4)


@given(CALLS, st.lists(st.integers(1, 9), min_size=1), st.booleans(), st.sampled_from([None, 1]))
def test_calls_are_parsed_for_any_chunk_size(
    calls: list[tuple[str, JsonObject]], chunk_sizes: list[int], name_last: bool, indent: int | None
) -> None:
    keys = ("parameters", "name") if name_last else ("name", "parameters")
    objects = [{key: {"name": name, "parameters": arguments}[key] for key in keys} for name, arguments in calls]
    text, reader, at = json.dumps(objects, indent=indent), CallList(), 0
    parts: list[JsonObject] = []
    while at < len(text):
        size = chunk_sizes[at % len(chunk_sizes)]
        parts += reader.feed(text[at : at + size]).calls
        at += size
    read = join_calls(parts)
    assert [(name, json.loads(arguments)) for name, arguments in read] == calls


@pytest.mark.parametrize("texts", [["{}"], ["", "{", "}"]])
def test_the_text_of_a_forced_call_is_its_arguments(texts: list[str]) -> None:
    reader = NamedCall("f")
    assert join_calls([part for text in texts for part in reader.feed(text).calls]) == [("f", "{}")]
