"""`/v1/responses`, through OpenAI's client, LangChain's, and without them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from rag.types import Chat
from tests.fakes import FakeGenerator, FakeRetriever
from tests.fakes.language_model.ending_generator import EndingGenerator
from tests.support.builders import a_file_id
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.servers.loopback import until
from tests.support.v1.response_calls import CITED, HITS, SEARCH, create_response, normalize, stream_events
from tests.support.v1.v1_client import error_of


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator(CITED), FakeRetriever(HITS)) as edge:
        yield edge


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
        result = (await create_response(edge, **body)).json()
        assert Response.model_validate(result, strict=True).to_dict() == result


async def test_times_are_integers(edge: EdgeService) -> None:
    plain = (await create_response(edge, model="rag")).text
    streamed = (await create_response(edge, model="rag", stream=True)).text
    assert len(re.findall(r'"(?:created|completed)_at": ?\d+[,}]', plain)) == 2
    assert not re.search(r'"(?:created|completed)_at": ?\d+\.', plain + streamed)


async def test_a_text_that_repeats_itself_is_marked_incomplete() -> None:
    async with an_edge(EndingGenerator("repetition"), FakeRetriever(HITS)) as edge:  # type: ignore[arg-type]
        response = (await create_response(edge, model="rag")).json()
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
    assert (await create_response(edge, input=messages)).status_code == 200
    assert edge.generator.requests[0][0] == Chat(
        (
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two!"},
            {"role": "user", "content": "Three"},
        )
    )
    assert (await create_response(edge, model="rag", input=messages)).status_code == 200
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
    response = await create_response(edge, text={"format": form})
    assert response.status_code == 200, response.text
    assert response.json()["text"]["format"].items() >= form.items()
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
    part = (await create_response(edge, **options)).json()["output"][0]["content"][0]
    assert [(one["token"], one["logprob"], len(one["top_logprobs"])) for one in part["logprobs"]] == [
        ("Grass ", -0.25, 2),
        ("[1], ", -0.25, 2),
    ]
    assert bytes(part["logprobs"][0]["bytes"]) == b"Grass "
    deltas = [event for event in await stream_events(edge, **options) if event.type == "response.output_text.delta"]
    assert [delta.logprobs[0].token for delta in deltas] == ["Grass ", "[1], "]


async def test_a_lora_adapter_generates_a_response(edge: EdgeService) -> None:
    await create_response(edge, model="sql")
    await create_response(edge, model="sql", tools=[SEARCH])
    await create_response(edge, model="rag:sql")
    await create_response(edge, model="rag")
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
    response = await create_response(edge, tools=[SEARCH], include=["file_search_call.results"])
    first, second = response.json()["output"][0]["results"]
    assert (first["file_id"], first["score"], first["text"]) == (a_file_id("zebras.md"), 0.9, "zebras eat grass")
    assert (first["attributes"], first["page"]) == ({"year": 2020}, 3)
    assert second["filename"] == "lions.md"


async def test_the_options_of_the_file_search_tool_reach_the_search(edge: EdgeService) -> None:
    filters = {"type": "eq", "key": "year", "value": 2020}
    hybrid = {"embedding_weight": 1, "text_weight": 0}
    ranking = {"ranker": "none", "score_threshold": 0.4, "hybrid_search": hybrid}
    tool = {**SEARCH, "filters": filters, "max_num_results": 7, "ranking_options": ranking}
    response = await create_response(edge, tools=[tool], tool_choice={"type": "file_search"}, max_output_tokens=20)
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
            "style": "written",
        }
    ]
    assert response.json()["tools"][0]["vector_store_ids"] == ["animals", "plants"]


async def test_tool_choice_none_disables_the_search(edge: EdgeService) -> None:
    response = await create_response(
        edge, tools=[{**SEARCH, "filters": {"type": "eq", "key": "filename", "value": 1}}], tool_choice="none"
    )
    assert [item["type"] for item in response.json()["output"]] == ["message"]
    assert edge.retriever.prepared == []


async def test_the_response_says_when_the_search_finds_nothing() -> None:
    async with an_edge(retriever=FakeRetriever(note="no plan")) as edge:
        result = (await create_response(edge, model="rag")).json()
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
    plain = (await create_response(edge, **body)).json()
    last = (await stream_events(edge, **body))[-1].response.to_dict()
    assert normalize(last) == normalize(plain)


async def test_events_have_openais_names(edge: EdgeService) -> None:
    raw = (await create_response(edge, stream=True, max_output_tokens=1)).text
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
        raw = (await create_response(edge, stream=True)).text
        assert ": keep-alive" in raw
        assert 'event: error\ndata: {"code":"timeout"' in raw
        response = await create_response(edge)
        assert error_of(response)[:2] == (504, "timeout")
        await until(lambda: edge.generator.running == 0)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_client_that_disconnects_stops_the_engine(model: str, stream: bool) -> None:
    async with an_edge(FakeGenerator(CITED, stalls_after=2), FakeRetriever(HITS)) as edge:
        request_task = asyncio.create_task(create_response(edge, model=model, stream=stream))
        await until(lambda: edge.generator.running == 1)
        request_task.cancel()
        await until(lambda: edge.generator.running == 0)
    assert edge.generator.cancelled == 1


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
