"""`/v1/responses`, through OpenAI's client, LangChain's, and without them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from rag.errors import ContextLengthExceeded, InvalidFilter, VectorStoreNotFound
from rag.types import Chat, Hit
from tests.fakes import FakeGenerator, FakeRetriever
from tests.fakes.ending_generator import EndingGenerator
from tests.support.builders import a_chunk, a_file_id
from tests.support.edge_service import MODEL, EdgeService, an_edge
from tests.support.loopback import until
from tests.support.v1_client import error_of

HITS = (
    Hit(a_chunk("zebras eat grass", filename="zebras.md", page=3, attributes={"year": 2020}), 0.9),
    Hit(a_chunk("lions eat zebras", filename="lions.md"), 0.5),
)
CITED = "Grass [1], mostly [2]. Nobody knows [7] more."
SEARCH: Any = {"type": "file_search", "vector_store_ids": ["animals", "plants"]}


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator(CITED), FakeRetriever(HITS)) as edge:
        yield edge


async def post(edge: EdgeService, **body: Any) -> httpx.Response:
    return await edge.post("/v1/responses", {"model": MODEL, "input": "Hello there", **body})


async def stream_events(edge: EdgeService, **body: Any) -> list[Any]:
    async with edge.openai() as client:
        stream = await client.responses.create(**{"model": MODEL, "input": "Hello there", **body}, stream=True)
        return [event async for event in stream]


def normalize(value: Any) -> Any:
    """Replace ids and times by constants."""
    if isinstance(value, Mapping):
        return {key: 0 if key.endswith("_at") else normalize(part) for key, part in value.items()}
    if isinstance(value, list):
        return [normalize(part) for part in value]
    return re.sub(r"_[0-9a-f]{32}", "_id", value) if isinstance(value, str) else value


# Plain models


async def test_a_plain_model_generates_a_response(edge: EdgeService) -> None:
    async with edge.openai() as client:
        made = await client.responses.create(
            model=MODEL,
            input="Hello there",
            instructions="Be brief.",
            temperature=0.5,
            top_p=0.9,
            max_output_tokens=50,
            metadata={"team": "a"},
            user="me",
            extra_body={"seed": 7, "top_k": 5},
        )
    assert (made.output_text, made.status, made.error, made.incomplete_details) == (CITED, "completed", None, None)
    assert (made.object, made.model, made.metadata, made.user) == ("response", MODEL, {"team": "a"}, "me")
    assert (made.temperature, made.top_p, made.max_output_tokens, made.truncation) == (0.5, 0.9, 50, "disabled")
    assert [item.type for item in made.output] == ["message"]
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usage.total_tokens) == (4, 8, 12)
    assert (made.usage.input_tokens_details.cached_tokens, made.usage.output_tokens_details.reasoning_tokens) == (0, 0)
    [(prompt, sampling, _)] = edge.generator.requests
    expected = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello there"}]
    assert list(prompt.messages) == expected
    assert sampling == {"temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "seed": 7, "top_k": 5}


async def test_a_response_matches_openais_types(edge: EdgeService) -> None:
    for body in ({}, {"tools": [SEARCH], "include": ["file_search_call.results"]}, {"max_output_tokens": 2}):
        result = (await post(edge, **body)).json()
        assert Response.model_validate(result, strict=True).to_dict() == result


async def test_times_are_integers(edge: EdgeService) -> None:
    plain = (await post(edge, model="rag")).text
    streamed = (await post(edge, model="rag", stream=True)).text
    assert len(re.findall(r'"(?:created|completed)_at": ?\d+[,}]', plain)) == 2
    assert not re.search(r'"(?:created|completed)_at": ?\d+\.', plain + streamed)


async def test_a_text_that_repeats_itself_is_marked_incomplete() -> None:
    async with an_edge(EndingGenerator("repetition"), FakeRetriever(HITS)) as edge:  # type: ignore[arg-type]
        response = (await post(edge, model="rag")).json()
    assert (response["status"], response["output"][-1]["status"]) == ("incomplete", "incomplete")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["rag"]["finish_reason"] == "repetition"


async def test_every_form_of_message_is_accepted(edge: EdgeService) -> None:
    messages: list[Any] = [
        {"role": "developer", "content": "Be kind."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "One"}]},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Two", "annotations": [], "logprobs": []},
                {"type": "output_text", "text": "!", "annotations": []},
            ],
        },
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["a"], "results": None},
        {"role": "user", "content": "Three"},
    ]
    assert (await post(edge, input=messages)).status_code == 200
    assert edge.generator.requests[0][0] == Chat(
        (
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two!"},
            {"role": "user", "content": "Three"},
        )
    )
    assert (await post(edge, model="rag", input=messages)).status_code == 200
    [prepared] = edge.retriever.prepared
    assert (prepared["question"], prepared["system"]) == ("Three", "Be kind.")
    assert prepared["history"] == [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two!"}]


async def test_a_truncated_text_is_marked_incomplete(edge: EdgeService) -> None:
    async with edge.openai() as client:
        made = await client.responses.create(model=MODEL, input="Hello there", max_output_tokens=2)
    assert (made.status, made.output_text) == ("incomplete", "Grass [1], ")
    assert made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"
    *_, last = await stream_events(edge, max_output_tokens=2)
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")


@pytest.mark.parametrize(
    ("form", "structure"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"json_object": True}),
        ({"type": "json_schema", "name": "x", "strict": True, "schema": {"type": "object"}}, {"type": "object"}),
    ],
)
async def test_the_text_format_reaches_the_engine(edge: EdgeService, form: Any, structure: Any) -> None:
    response = await post(edge, text={"format": form})
    assert response.status_code == 200, response.text
    assert response.json()["text"] == {"format": form}
    expected_structure = {"json": structure} if form["type"] == "json_schema" else structure
    assert edge.generator.requests[0][1].get("structured_outputs") == expected_structure


async def test_openais_client_parses_structured_output() -> None:
    class Animal(BaseModel):
        name: str

    async with an_edge(FakeGenerator('{"name": "zebra"}')) as edge, edge.openai() as client:
        parsed = await client.responses.parse(model=MODEL, input="Which?", text_format=Animal)
        assert parsed.output_parsed == Animal(name="zebra")
        async with client.responses.stream(model=MODEL, input="Which?", text_format=Animal) as stream:
            assert (await stream.get_final_response()).output_parsed == Animal(name="zebra")


async def test_logprobs_are_included_on_request(edge: EdgeService) -> None:
    options: Any = {"include": ["message.output_text.logprobs"], "top_logprobs": 2, "max_output_tokens": 2}
    part = (await post(edge, **options)).json()["output"][0]["content"][0]
    assert [(one["token"], one["logprob"], len(one["top_logprobs"])) for one in part["logprobs"]] == [
        ("Grass ", -0.25, 2),
        ("[1], ", -0.25, 2),
    ]
    assert bytes(part["logprobs"][0]["bytes"]) == b"Grass "
    deltas = [event for event in await stream_events(edge, **options) if event.type == "response.output_text.delta"]
    assert [delta.logprobs[0].token for delta in deltas] == ["Grass ", "[1], "]


async def test_a_lora_adapter_generates_a_response(edge: EdgeService) -> None:
    await post(edge, model="sql")
    await post(edge, model="sql", tools=[SEARCH])
    await post(edge, model="rag:sql")
    await post(edge, model="rag")
    assert edge.generator.models == ["sql", "sql", "sql", ""]
    assert len(edge.retriever.prepared) == 3


# Answers from documents


@pytest.mark.parametrize("body", [{"model": "rag"}, {"tools": [SEARCH]}], ids=["rag", "file_search"])
async def test_a_rag_response_has_a_file_search_call_and_citations(edge: EdgeService, body: Any) -> None:
    async with edge.openai() as client:
        made = await client.responses.create(**{"model": MODEL, "input": "What do zebras eat?", **body})
    call, message = made.output
    assert (call.type, message.type) == ("file_search_call", "message")
    assert (call.status, call.queries, call.results) == ("completed", ["What do zebras eat?"], None)
    assert made.output_text == "Grass [1], mostly [2]. Nobody knows more."
    annotations: Any = message.content[0].annotations
    assert [(one.type, one.file_id, one.filename, one.index, one.end_index, one.source) for one in annotations] == [
        ("file_citation", a_file_id("zebras.md"), "zebras.md", 6, 9, 1),
        ("file_citation", a_file_id("lions.md"), "lions.md", 18, 21, 2),
    ]
    assert made.output_text[6:9] == "[1]"
    assert (made.model_extra or {})["rag"] == {"finish_reason": "stop", "style": "written", "citations_removed": 1}


async def test_search_results_are_included_on_request(edge: EdgeService) -> None:
    response = await post(edge, tools=[SEARCH], include=["file_search_call.results"])
    first, second = response.json()["output"][0]["results"]
    assert (first["file_id"], first["score"], first["text"]) == (a_file_id("zebras.md"), 0.9, "zebras eat grass")
    assert (first["attributes"], first["page"]) == ({"year": 2020}, 3)
    assert second["filename"] == "lions.md"


async def test_the_options_of_the_file_search_tool_reach_the_search(edge: EdgeService) -> None:
    filters = {"type": "eq", "key": "year", "value": 2020}
    hybrid = {"embedding_weight": 1, "text_weight": 0}
    ranking = {"ranker": "none", "score_threshold": 0.4, "hybrid_search": hybrid}
    tool = {**SEARCH, "filters": filters, "max_num_results": 7, "ranking_options": ranking}
    response = await post(edge, tools=[tool], tool_choice={"type": "file_search"}, max_output_tokens=20)
    assert response.status_code == 200, response.text
    assert edge.retriever.prepared == [
        {
            "question": "Hello there",
            "vector_store": ["animals", "plants"],
            "filters": filters,
            "top_k": 7,
            "retrieval": {"mode": "dense", "rerank": False},
            "score_threshold": 0.4,
            "history": [],
            "max_tokens": 20,
            "context_tokens": 512,
        }
    ]
    assert response.json()["tools"][0]["vector_store_ids"] == ["animals", "plants"]


async def test_tool_choice_none_disables_the_search(edge: EdgeService) -> None:
    response = await post(
        edge, tools=[{**SEARCH, "filters": {"type": "eq", "key": "filename", "value": 1}}], tool_choice="none"
    )
    assert [item["type"] for item in response.json()["output"]] == ["message"]
    assert edge.retriever.prepared == []


async def test_the_response_says_when_the_search_finds_nothing() -> None:
    async with an_edge(retriever=FakeRetriever(note="no plan")) as edge:
        result = (await post(edge, model="rag")).json()
    call, message = result["output"]
    assert call["queries"] == ["Hello there"]
    assert result["status"] == "completed"
    assert message["content"][0]["annotations"] == []
    assert result["rag"] == {
        "finish_reason": "no_sources",
        "style": "written",
        "citations_removed": 0,
        "note": "no plan",
    }


# Streams

TEXT_EVENTS = ["response.output_item.added", "response.content_part.added"]
END_EVENTS = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]


async def test_a_stream_has_all_events_in_order(edge: EdgeService) -> None:
    events = await stream_events(edge, model="rag")
    names = [event.type for event in events]
    deltas = names.count("response.output_text.delta")
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        *TEXT_EVENTS,
        *["response.output_text.delta"] * deltas,
        *["response.output_text.annotation.added"] * 2,
        *END_EVENTS,
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text
    added = [event for event in events if event.type == "response.output_text.annotation.added"]
    final = events[-1].response.output[1].content[0].annotations
    assert [(one.annotation_index, one.annotation.index) for one in added] == [(0, final[0].index), (1, final[1].index)]
    assert {event.item_id for event in added} == {events[-1].response.output[1].id}
    assert {event.output_index for event in added} == {1}


async def test_a_stream_of_a_plain_model_has_no_search_events(edge: EdgeService) -> None:
    names = [event.type for event in await stream_events(edge)]
    first_events = ["response.created", "response.in_progress", *TEXT_EVENTS]
    assert names == [*first_events, *["response.output_text.delta"] * 8, *END_EVENTS, "response.completed"]


@pytest.mark.parametrize("body", [{}, {"tools": [SEARCH]}, {"max_output_tokens": 3}], ids=["text", "search", "cut"])
async def test_streamed_and_plain_responses_agree(edge: EdgeService, body: Any) -> None:
    body = {**body, "include": ["file_search_call.results", "message.output_text.logprobs"]}
    plain = (await post(edge, **body)).json()
    last = (await stream_events(edge, **body))[-1].response.to_dict()
    assert normalize(last) == normalize(plain)


async def test_events_have_openais_names(edge: EdgeService) -> None:
    raw = (await post(edge, stream=True, max_output_tokens=1)).text
    blocks = raw.strip().split("\n\n")
    for block in blocks:
        head, data = block.split("\n")
        assert f'"type":"{head.removeprefix("event: ")}"' in data
    assert blocks[-1].startswith("event: response.incomplete\n")


async def test_the_clients_stream_helper_returns_text_and_the_final_response(edge: EdgeService) -> None:
    async with edge.openai() as client, client.responses.stream(model="rag", input="What?") as stream:
        snapshots = [event.snapshot async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert snapshots[-1] == final.output_text == "Grass [1], mostly [2]. Nobody knows more."


async def test_a_failed_stream_makes_the_client_raise() -> None:
    async with an_edge(FakeGenerator(CITED, dies_after=3), FakeRetriever(HITS)) as edge, edge.openai() as client:
        events: list[Any] = []

        async def read() -> None:
            async for event in await client.responses.create(model="rag", input="What?", stream=True):
                events.append(event)

        with pytest.raises(openai.APIError, match="the engine died") as caught:
            await read()
        assert caught.value.code == "dependency_unavailable"
        failed = events[-1]
        assert (failed.type, failed.response.status) == ("response.failed", "failed")
        assert (failed.response.error.code, failed.response.error.type) == ("server_error", "dependency_unavailable")
        call, message = failed.response.output
        assert (call.type, message.status) == ("file_search_call", "incomplete")
        assert message.content[0].text == "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert [event.sequence_number for event in events] == list(range(len(events)))
        with pytest.raises(openai.InternalServerError):
            await client.responses.create(model="rag", input="What?")


async def test_a_stream_past_its_deadline_fails() -> None:
    async with an_edge(FakeGenerator(CITED, stalls_after=2), answer_timeout_s=1.0, keep_alive_s=0.1) as edge:
        raw = (await post(edge, stream=True)).text
        assert ": keep-alive" in raw
        assert 'event: error\ndata: {"code":"timeout"' in raw
        response = await post(edge)
        assert error_of(response)[:2] == (504, "timeout")
        await until(lambda: edge.generator.running == 0)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_client_that_disconnects_stops_the_engine(model: str, stream: bool) -> None:
    async with an_edge(FakeGenerator(CITED, stalls_after=2), FakeRetriever(HITS)) as edge:
        request_task = asyncio.create_task(post(edge, model=model, stream=stream))
        await until(lambda: edge.generator.running == 1)
        request_task.cancel()
        await until(lambda: edge.generator.running == 0)
    assert edge.generator.cancelled == 1


async def test_nulls_mean_left_out(refused: Any) -> None:
    names = (
        "previous_response_id", "conversation", "prompt", "prompt_cache_retention", "context_management", "tools",
        "tool_choice", "include", "background", "store", "text", "reasoning", "logprobs", "best_of",
    )  # fmt: skip
    response = await refused(dict.fromkeys(names))
    assert response.status_code == 200, response.text


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


# Refusals

PART: Any = {"type": "input_image", "image_url": "https://x"}
INVALID: list[tuple[str, Any]] = [
    ("input", {"input": ""}), ("input", {"input": []}), ("input", {"input": None}), ("input", {"input": 3}),
    ("input.0", {"input": ["a"]}), ("input.0.role", {"input": [{"content": "a"}]}),
    ("input.0.content", {"input": [{"role": "user"}]}), ("input.0.role", {"input": [{"role": "tool", "content": "a"}]}),
    ("input.0.content.0.type", {"input": [{"role": "user", "content": [PART]}]}),
    ("input.0.content", {"input": [{"role": "user", "content": 1}]}),
    ("input.0.id", {"input": [{"type": "item_reference"}]}),
    ("input.0.type", {"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]}),
    ("input", {"input": [{"type": "file_search_call", "id": "x", "queries": []}]}),
    ("instructions", {"instructions": ["a"]}), ("temperature", {"temperature": 3}), ("top_p", {"top_p": 0}),
    ("max_output_tokens", {"max_output_tokens": 0}), ("max_tokens", {"max_tokens": 5}), ("n", {"n": 2}),
    ("previous_response_id", {"previous_response_id": ""}), ("conversation", {"conversation": "conv_1"}),
    ("prompt", {"prompt": {"id": "pmpt_1"}}), ("store", {"store": "yes"}), ("background", {"background": True}),
    ("input.0.colour", {"input": [{"role": "user", "content": "a", "colour": 1}]}), ("logprobs", {"logprobs": 2}),
    ("best_of", {"best_of": 2}), ("include.0", {"include": ["code"]}),
    ("top_logprobs", {"top_logprobs": 2}), ("truncation", {"truncation": "auto"}), ("stream", {"stream": "yes"}),
    ("stream_options", {"stream_options": {"include_obfuscation": False}}), ("metadata.a", {"metadata": {"a": 1}}),
    ("reasoning.effort", {"reasoning": {"effort": "high"}}), ("text.verbosity", {"text": {"verbosity": "low"}}),
    ("text.format.type", {"text": {"format": {"type": "xml"}}}), ("nonsense", {"nonsense": 1}),
    ("text.format.schema", {"text": {"format": {"type": "json_schema", "name": "x"}}}),
    ("text.format.name", {"text": {"format": {"type": "json_schema", "schema": {}}}}),
    ("text.format", {"text": {"format": {"type": "json_object"}}, "structured_outputs": {"regex": "a"}}),
    ("structured_outputs", {"structured_outputs": {"regex": "("}}),
    ("text.format", {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "nonsense"}}}}),
    ("tools.0.type", {"tools": [{"type": "web_search"}]}), ("tools", {"tools": [SEARCH, SEARCH]}),
    ("tools.0.type", {"tools": [{"type": "function", "name": "f", "parameters": {}}]}),
    ("tools.0.vector_store_ids", {"tools": [{"type": "file_search"}]}),
    ("tools.0.vector_store_ids", {"tools": [{"type": "file_search", "vector_store_ids": []}]}),
    ("tools.0.vector_store_ids", {"tools": [{"type": "file_search", "vector_store_ids": ["a"] * 11}]}),
    ("tools.0.max_num_results", {"tools": [{**SEARCH, "max_num_results": 51}]}),
    ("tools.0.ranking_options.ranker", {"tools": [{**SEARCH, "ranking_options": {"ranker": "best"}}]}),
    ("tool_choice", {"tool_choice": "required"}), ("tool_choice", {"tool_choice": {"type": "file_search"}}),
    ("tool_choice", {"tools": [SEARCH], "tool_choice": {"type": "web_search"}}),
    ("tool_choice", {"model": "rag", "tool_choice": "none"}),
    ("chat_template_kwargs", {"model": "rag", "chat_template_kwargs": {"a": 1}}),
    ("input.0.role", {"model": "rag", "input": [{"role": "assistant", "content": "a"}]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def refused() -> Any:
    """Each request gets its own service: a shared one would need a shared event loop."""

    async def ask(body: Any) -> httpx.Response:
        async with an_edge(FakeGenerator(CITED), FakeRetriever(HITS)) as edge:
            response = await post(edge, **body)
            assert edge.generator.running == 0
            return response

    return ask


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
            assert error_of(await post(edge, tools=[SEARCH], stream=stream)) == expected


async def test_a_refusal_of_max_output_tokens_names_that_field() -> None:
    async with an_edge(FakeGenerator(context_tokens=10)) as edge:
        response = await post(edge, max_output_tokens=50)
        assert error_of(response) == (400, "context_length_exceeded", "max_output_tokens")


# LangChain


@pytest.fixture
async def langchain(edge: EdgeService) -> AsyncIterator[Any]:
    from langchain_openai import ChatOpenAI

    async with httpx2.AsyncClient() as http:
        client_options: dict[str, Any] = {"base_url": f"{edge.url}/v1", "api_key": "x", "http_async_client": http}
        yield lambda model: ChatOpenAI(model=model, use_responses_api=True, **client_options)


async def test_langchain_holds_a_conversation_with_file_search(edge: EdgeService, langchain: Any) -> None:
    model = langchain(MODEL).bind_tools([SEARCH])
    first = await model.ainvoke("What do zebras eat?")
    assert first.text == "Grass [1], mostly [2]. Nobody knows more."
    assert first.usage_metadata["output_tokens"] == 8
    annotations = [one for block in first.content if isinstance(block, dict) for one in block.get("annotations", ())]
    assert [one["filename"] for one in annotations] == ["zebras.md", "lions.md"]
    await model.ainvoke([("user", "What do zebras eat?"), first, ("user", "And lions?")])
    assert edge.retriever.prepared[-1]["question"] == "And lions?"
    assert edge.retriever.prepared[-1]["history"][-1] == {"role": "assistant", "content": first.text}


async def test_langchain_streams(langchain: Any) -> None:
    chunks = [chunk async for chunk in langchain("rag").astream("What do zebras eat?")]
    assert "".join(chunk.text for chunk in chunks) == "Grass [1], mostly [2]. Nobody knows more."
    assert len([chunk for chunk in chunks if chunk.text]) > 2
