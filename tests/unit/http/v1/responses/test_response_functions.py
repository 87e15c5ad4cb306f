"""Function tools of `/v1/responses`, through OpenAI's client, LangChain's, and without them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from rag.errors import DependencyUnavailable
from rag.generate.events import AnswerEvent, CompletedText, Done
from rag.http.v1.responses.output.events import ResponseWriter
from rag.http.v1.responses.output.objects import ResponseMetadata
from rag.http.v1.responses.output.request_fields import DefaultSampling
from rag.http.v1.responses.request.body import ResponsesBody
from rag.library.answers.responses import ResponseRegistry
from rag.types import TextDelta, Usage
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.catalogs import a_catalog
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.v1.response_calls import ADD, HITS, SAY, SEARCH, create_response, normalize, stream_events
from tests.support.v1.v1_client import error_of

ARGUMENTS = '{"a": 1, "b": 22}'
NAMED: Any = {"type": "function", "name": "add"}
TWO_CALLS = '[{"name": "add", "parameters": {"a": 1}}, {"name": "say", "parameters": {}}]'
CHOSEN = ({"id": "call_1", "type": "function", "function": {"name": "add", "arguments": ARGUMENTS}},)
"""What the model calls if it may decide."""
CHAT_TOOL = {"type": "function", "function": {name: part for name, part in ADD.items() if name != "type"}}


def called(response: Any) -> list[tuple[str, str, str]]:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    return [(item["name"], item["arguments"], item["status"]) for item in calls]


DEFAULTS = {"temperature": 0.0}
"""What the service adds to the sampling parameters of a request."""


# Calls


async def test_a_named_function_is_called() -> None:
    async with an_edge(FakeGenerator(ARGUMENTS)) as edge, edge.openai() as client:
        tools: Any = [ADD, SAY]
        made = await client.responses.create(model=MODEL, input="Hello there", tools=tools, tool_choice=NAMED)
    [call] = made.output
    assert isinstance(call, openai.types.responses.ResponseFunctionToolCall)
    assert (call.name, call.arguments, call.status) == ("add", ARGUMENTS, "completed")
    assert ((call.id or "")[:3], call.call_id[:5]) == ("fc_", "call_")
    assert (made.status, made.output_text) == ("completed", "")
    [(prompt, sampling, _)] = edge.generator.requests
    assert sampling == {"structured_outputs": {"json": ADD["parameters"]}, **DEFAULTS}
    assert (prompt.tools[0], len(prompt.tools), prompt.calls_tools) == (CHAT_TOOL, 2, False)


async def test_a_response_with_calls_matches_openais_types() -> None:
    async with an_edge(FakeGenerator(TWO_CALLS)) as edge:
        allowed = {"type": "allowed_tools", "mode": "required", "tools": [NAMED]}
        for choice in ("required", allowed):
            result = (await create_response(edge, tools=[ADD, SAY], tool_choice=choice)).json()
            assert Response.model_validate(result, strict=True).to_dict() == result
            assert (result["tool_choice"], result["tools"][0]) == (choice, ADD)
            assert result["tools"][1] == {**SAY, "strict": None}


async def test_required_calls_are_made_in_parallel_unless_the_request_forbids_it() -> None:
    async with an_edge(FakeGenerator(TWO_CALLS)) as edge:
        body: Any = {"tools": [ADD, SAY], "tool_choice": "required"}
        both = (await create_response(edge, **body)).json()
        assert called(both) == [("add", '{"a": 1}', "completed"), ("say", "{}", "completed")]
        assert len({item["call_id"] for item in both["output"]} | {item["id"] for item in both["output"]}) == 4
        one = (await create_response(edge, **body, parallel_tool_calls=False)).json()
        assert (called(one), one["parallel_tool_calls"]) == ([("add", '{"a": 1}', "completed")], False)
        assert edge.generator.requests[-1][1]["structured_outputs"]["json"]["maxItems"] == 1


async def test_allowed_tools_limit_the_functions() -> None:
    async with an_edge(FakeGenerator(TWO_CALLS)) as edge:
        allowed: Any = {"type": "allowed_tools", "mode": "required", "tools": [NAMED]}
        await create_response(edge, tools=[ADD, SAY], tool_choice=allowed)
        prompt, sampling, _ = edge.generator.requests[-1]
        schema = sampling["structured_outputs"]["json"]
        assert [one["properties"]["name"]["enum"] for one in schema["items"]["anyOf"]] == [["add"]]
        assert len(prompt.tools) == 2
        await create_response(edge, tools=[ADD, SAY], tool_choice={**allowed, "mode": "auto"})
        prompt, sampling, _ = edge.generator.requests[-1]
        assert ([tool["function"]["name"] for tool in prompt.tools], sampling) == (["add"], DEFAULTS)


async def test_the_model_decides_whether_to_call() -> None:
    async with an_edge(FakeGenerator("No need.", tool_calls=CHOSEN)) as edge:
        result = (await create_response(edge, tools=[ADD])).json()
        assert [item["type"] for item in result["output"]] == ["function_call"]
        assert (called(result), result["output"][0]["call_id"]) == ([("add", ARGUMENTS, "completed")], "call_1")
        assert edge.generator.requests[-1][0].calls_tools
        result = (await create_response(edge, tools=[ADD], tool_choice="none")).json()
        assert [item["type"] for item in result["output"]] == ["message"]
        assert edge.generator.requests[-1][0].tools == ()
    async with an_edge(FakeGenerator("No need.")) as edge:
        result = (await create_response(edge, tools=[ADD])).json()
        assert (result["output"][0]["content"][0]["text"], "rag" in result) == ("No need.", False)


# Streams


async def test_arguments_are_streamed_as_the_model_writes_them() -> None:
    async with an_edge(FakeGenerator(ARGUMENTS)) as edge:
        events = await stream_events(edge, tools=[ADD], tool_choice=NAMED)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        *["response.function_call_arguments.delta"] * 4,
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    added, done = events[2].item, events[-2].item
    assert (added.arguments, added.status, added.name, added.call_id) == ("", "in_progress", "add", done.call_id)
    assert [event.delta for event in events[3:7]] == ['{"a": ', "1, ", '"b": ', "22}"]
    assert (events[7].arguments, done.arguments, done.status) == (ARGUMENTS, ARGUMENTS, "completed")
    assert {event.item_id for event in events[3:8]} == {added.id} == {done.id}
    assert {event.output_index for event in events[2:9]} == {0}


async def test_an_item_ends_before_the_next_one_begins() -> None:
    async with an_edge(FakeGenerator(TWO_CALLS)) as edge:
        events = await stream_events(edge, tools=[ADD, SAY], tool_choice="required")
    items = [event for event in events if event.type.startswith("response.output_item")]
    assert [(event.type[21:], event.output_index) for event in items] == [
        ("added", 0), ("done", 0), ("added", 1), ("done", 1),
    ]  # fmt: skip


def call_part(index: int, arguments: str, **fields: Any) -> TextDelta:
    return TextDelta("", tool_calls=({"index": index, "function": {"name": "f", "arguments": arguments}, **fields},))


async def written(*deltas: TextDelta) -> list[Any]:
    async def answer() -> AsyncIterator[AnswerEvent]:
        for delta in deltas:
            yield delta
        yield Usage(1, 1)
        yield Done((CompletedText("", "tool_calls"),), {})

    body = ResponsesBody.model_validate({"model": MODEL, "input": "a"})
    metadata = ResponseMetadata(body, searches=False, defaults=DefaultSampling(100, 0.0, 1000))
    return [data async for _, data in ResponseWriter(metadata).events(answer())]


async def test_text_may_surround_calls() -> None:
    last = (await written(TextDelta("One"), call_part(0, "{}", id="call_1"), TextDelta("Two")))[-1]["response"]
    assert [item["type"] for item in last["output"]] == ["message", "function_call", "message"]
    assert [item["content"][0]["text"] for item in last["output"] if "content" in item] == ["One", "Two"]


async def test_calls_that_arrive_mixed_are_refused() -> None:
    one, two = call_part(0, "{", id="call_1"), call_part(1, "{", id="call_2")
    with pytest.raises(DependencyUnavailable, match="mixed"):
        await written(one, two, call_part(0, "}"))


@pytest.mark.parametrize(
    "body",
    [
        {"tool_choice": NAMED},
        {"tool_choice": NAMED, "max_output_tokens": 2},
        {"include": ["message.output_text.logprobs"]},
    ],
    ids=["named", "cut", "auto"],
)
async def test_streamed_and_plain_calls_agree(body: Any) -> None:
    async with an_edge(FakeGenerator(ARGUMENTS, tool_calls=CHOSEN)) as edge:
        plain = (await create_response(edge, tools=[ADD], **body)).json()
        last = (await stream_events(edge, tools=[ADD], **body))[-1].response.to_dict()
    for response in (plain, last):
        assert response["output"][0].pop("call_id")[:5] == "call_"
    assert normalize(last) == normalize(plain)


async def test_a_call_that_is_cut_is_incomplete() -> None:
    async with an_edge(FakeGenerator(ARGUMENTS)) as edge:
        result = (await create_response(edge, tools=[ADD], tool_choice=NAMED, max_output_tokens=2)).json()
    assert (result["status"], called(result)) == ("incomplete", [("add", '{"a": 1, ', "incomplete")])


async def test_a_failed_stream_has_the_call_so_far() -> None:
    async with an_edge(FakeGenerator(ARGUMENTS, dies_after=2)) as edge:
        raw = (await create_response(edge, tools=[ADD], tool_choice=NAMED, stream=True)).text
    *_, failed, error = (json.loads(block.split("data: ")[1]) for block in raw.strip().split("\n\n"))
    assert (failed["type"], error["type"]) == ("response.failed", "error")
    assert called(failed["response"]) == [("add", '{"a": 1, ', "incomplete")]


async def test_openais_client_parses_the_arguments() -> None:
    class Add(BaseModel):
        a: int
        b: int

    tool = openai.pydantic_function_tool(Add, name="add")["function"]
    tools: Any = [{"type": "function", **tool}]
    async with an_edge(FakeGenerator(ARGUMENTS)) as edge, edge.openai() as client:
        parsed: Any = await client.responses.parse(model=MODEL, input="Add", tools=tools, tool_choice=NAMED)
        assert parsed.output[0].parsed_arguments in (Add(a=1, b=22), {"a": 1, "b": 22})
        async with client.responses.stream(model=MODEL, input="Add", tools=tools, tool_choice=NAMED) as stream:
            final: Any = await stream.get_final_response()
        assert final.output[0].arguments == ARGUMENTS


# Outputs of functions


QUESTION: Any = {"role": "user", "content": "Add 1 and 22."}
CALL_MESSAGE = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": ARGUMENTS}}],
}
OUTPUT: Any = {"type": "function_call_output", "call_id": "call_1", "output": "23"}
TOOL_MESSAGE = {"role": "tool", "tool_call_id": "call_1", "content": "23"}


async def test_calls_and_outputs_are_sent_back_as_items() -> None:
    async with an_edge(FakeGenerator(tool_calls=CHOSEN)) as edge:
        output = (await create_response(edge, input=[QUESTION], tools=[ADD])).json()["output"]
        text = {"role": "assistant", "content": "I add."}
        parts = {**OUTPUT, "output": [{"type": "input_text", "text": "2"}, {"type": "input_text", "text": "3"}]}
        response = await create_response(edge, input=[QUESTION, text, *output, parts], tools=[ADD])
        assert response.status_code == 200, response.text
        messages = edge.generator.requests[-1][0].messages
        assert messages == (QUESTION, {**CALL_MESSAGE, "content": "I add."}, TOOL_MESSAGE)


async def test_parallel_calls_are_one_message() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": ARGUMENTS}
    cut = {**call, "call_id": "call_9", "arguments": "{", "status": "incomplete"}
    items = [QUESTION, call, {**call, "call_id": "call_2", "extra": 1}, OUTPUT, {**OUTPUT, "call_id": "call_2"}, cut]
    async with an_edge() as edge:
        response = await create_response(edge, input=items)
        assert response.status_code == 200, response.text
        messages = edge.generator.requests[-1][0].messages
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["call_1", "call_2"]


@pytest.fixture
def responses(tmp_path: Path) -> Iterator[ResponseRegistry]:
    database = a_catalog(tmp_path)
    yield ResponseRegistry(database, 30)
    database.close()


async def test_a_kept_call_is_continued_with_its_output(responses: ResponseRegistry) -> None:
    generator = FakeGenerator(tool_calls=CHOSEN)
    async with an_edge(generator, FakeRetriever(HITS, responses=responses)) as edge, edge.openai() as client:
        tools: Any = [ADD]
        first = await client.responses.create(model=MODEL, input=[QUESTION], tools=tools)
        assert await client.responses.retrieve(first.id) == first
        more: Any = {"model": MODEL, "input": [OUTPUT], "tools": tools, "tool_choice": "none"}
        second = await client.responses.create(**more, previous_response_id=first.id)
        assert generator.requests[-1][0].messages == (QUESTION, CALL_MESSAGE, TOOL_MESSAGE)
        reference: Any = {"type": "item_reference", "id": first.output[0].id}
        third = await client.responses.create(**{**more, "input": [QUESTION, reference, OUTPUT]})
        assert generator.requests[-1][0].messages == (QUESTION, CALL_MESSAGE, TOOL_MESSAGE)
        kept = (await client.responses.input_items.list(third.id, order="asc")).data
        assert [item.type for item in kept] == ["message", "function_call", "function_call_output"]
        assert [(item.id or "").split("_")[0] for item in kept] == ["msg", "fc", "fco"]
        kept_output: Any = kept[2]
        assert (kept_output.output, kept_output.status) == ("23", "completed")
        await client.responses.create(model=MODEL, input=[item.to_dict() for item in kept])  # type: ignore[misc]
        assert generator.requests[-1][0].messages == (QUESTION, CALL_MESSAGE, TOOL_MESSAGE)
        about: Any = await client.responses.create(model="rag", input="Zebras?", previous_response_id=second.id)
        assert "function calls" in about.rag["note"]
        assert [turn["role"] for turn in edge.retriever.prepared[-1]["history"]] == ["user", "assistant"]


# Answers from documents


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator("Grass [1].", tool_calls=CHOSEN), FakeRetriever(HITS)) as edge:
        yield edge


async def test_an_agent_goes_on_after_a_required_call(edge: EdgeService) -> None:
    """What the function returned is left out, and the question answered from the documents."""
    called = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": ARGUMENTS}
    result = (await create_response(edge, model="rag", input=[QUESTION, called, OUTPUT], tools=[ADD])).json()
    assert "function calls" in result["rag"]["note"]
    assert edge.retriever.prepared[-1]["question"] == QUESTION["content"]
    refused = await create_response(edge, model="rag", input=[called, OUTPUT])
    assert error_of(refused) == (400, "invalid_request", "input.1.type")


@pytest.mark.parametrize("choice", [{}, {"tool_choice": "auto"}])
async def test_functions_beside_file_search_are_ignored_with_a_note(edge: EdgeService, choice: Any) -> None:
    result = (await create_response(edge, tools=[ADD, SEARCH], **choice)).json()
    assert [item["type"] for item in result["output"]] == ["file_search_call", "message"]
    assert "tools: ignored" in result["rag"]["note"]
    assert [tool["type"] for tool in result["tools"]] == ["function", "file_search"]


async def test_model_rag_ignores_functions_that_need_not_be_called(edge: EdgeService) -> None:
    result = (await create_response(edge, model="rag", tools=[ADD])).json()
    assert "tools: ignored" in result["rag"]["note"]
    assert "tools: ignored" in (await stream_events(edge, model="rag", tools=[ADD]))[-1].response.rag["note"]
    result = (await create_response(edge, model="rag", tools=[ADD], tool_choice="none")).json()
    assert (result["output"][0]["type"], "note" in result["rag"]) == ("file_search_call", False)


async def test_tool_choice_selects_between_search_and_functions(edge: EdgeService) -> None:
    search: Any = {"type": "file_search"}
    named = (await create_response(edge, tools=[SEARCH, ADD], tool_choice=NAMED)).json()
    assert [item["type"] for item in named["output"]] == ["function_call"]
    allowed: Any = {"type": "allowed_tools", "mode": "auto", "tools": [NAMED]}
    only_functions = (await create_response(edge, tools=[SEARCH, ADD], tool_choice=allowed)).json()
    assert [item["type"] for item in only_functions["output"]] == ["function_call"]
    for choice in (search, {**allowed, "tools": [search]}):
        searched = (await create_response(edge, tools=[SEARCH, ADD], tool_choice=choice)).json()
        assert [item["type"] for item in searched["output"]] == ["file_search_call", "message"]
        assert "note" not in searched["rag"]


@pytest.mark.parametrize("body", [{"model": "rag", "tools": [ADD]}, {"tools": [ADD, SEARCH]}], ids=["rag", "search"])
async def test_an_answer_from_documents_is_a_call_if_it_must(body: Any) -> None:
    body = {**body, "tool_choice": "required", "instructions": "Be brief."}
    async with an_edge(FakeGenerator(TWO_CALLS), FakeRetriever(HITS)) as edge:
        result = (await create_response(edge, **body)).json()
        assert [item["type"] for item in result["output"]] == ["file_search_call", "function_call", "function_call"]
        assert called(result) == [("add", '{"a": 1}', "completed"), ("say", "{}", "completed")]
        assert edge.retriever.prepared[0]["system"].startswith("Be brief.\n\nAnswer with calls")
        last = (await stream_events(edge, **body))[-1].response.to_dict()
        assert called(last) == called(result)
    async with an_edge(retriever=FakeRetriever()) as edge:
        result = (await create_response(edge, **body)).json()
        assert [item["type"] for item in result["output"]] == ["file_search_call", "message"]
        assert result["rag"]["finish_reason"] == "no_sources"


# Models without a parser


WRITTEN = f'I add.\n```tool_call\n{{"name": "add", "arguments": {ARGUMENTS}}}\n```'


async def test_a_model_without_a_parser_writes_calls_in_the_text() -> None:
    async with an_edge(FakeGenerator(WRITTEN), facts={"tool_parser": None}) as edge:
        events = await stream_events(edge, input=[QUESTION], tools=[ADD])
        message, call = events[-1].response.output
        assert (message.content[0].text, call.name, call.arguments) == ("I add.", "add", ARGUMENTS)
        deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
        assert (len(deltas) > 2, "".join(deltas)) == (True, ARGUMENTS)
        items = [QUESTION, message.to_dict(), call.to_dict(), {**OUTPUT, "call_id": call.call_id}]
        assert (await create_response(edge, input=[*items, QUESTION], tools=[ADD])).status_code == 200
        _, *turns = edge.generator.requests[-1][0].messages
        output = {"role": "user", "content": "The function returned:\n23"}
        assert turns == [QUESTION, {"role": "assistant", "content": WRITTEN}, output, QUESTION]
        edge.generator.text = "No need."
        result = (await create_response(edge, tools=[ADD])).json()
        assert (result["output"][0]["content"][0]["text"], "rag" in result) == ("No need.", False)
        form: Any = {"text": {"format": {"type": "json_object"}}}
        result = (await create_response(edge, tools=[ADD], **form)).json()
        assert list(result["rag"]) == ["note"]


# LangChain


async def test_langchain_calls_functions() -> None:
    from langchain_core.messages import ToolMessage
    from langchain_openai import ChatOpenAI

    generator = FakeGenerator('{"a": 1, "b": 22}', tool_calls=CHOSEN)
    async with an_edge(generator) as edge, httpx2.AsyncClient() as http:
        options: Any = {"base_url": f"{edge.url}/v1", "api_key": "x", "http_async_client": http}
        chat = ChatOpenAI(model=MODEL, use_responses_api=True, **options)
        model = chat.bind_tools([CHAT_TOOL])
        answer = await model.ainvoke("Add 1 and 22.")
        [call] = answer.tool_calls
        assert (call["name"], call["args"], call["id"]) == ("add", {"a": 1, "b": 22}, "call_1")
        await model.ainvoke([("user", "Add 1 and 22."), answer, ToolMessage("23", tool_call_id="call_1")])
        assert generator.requests[-1][0].messages[1:] == (CALL_MESSAGE, TOOL_MESSAGE)
        schema = {"title": "add", "description": "Adds.", **ADD["parameters"], "required": ["a", "b"]}
        structured: Any = chat.with_structured_output(schema, method="function_calling")
        assert await structured.ainvoke("Add 1 and 22.") == {"a": 1, "b": 22}
        forced: Any = chat.bind_tools([CHAT_TOOL], tool_choice="add")
        streamed = [chunk async for chunk in forced.astream("Add")]
        assert sum(bool(chunk.tool_call_chunks) for chunk in streamed) > 2
