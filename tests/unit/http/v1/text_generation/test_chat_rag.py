"""Chat completions of model `rag`: answers with sources and citations, plain and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from rag.generate.pipeline import NOT_FOUND
from rag.types import Chunk, Hit, RenderedChat
from tests.fakes import FakeGenerator, FakeRetriever
from tests.fakes.language_model.ending_generator import EndingGenerator
from tests.support.servers.edge_service import EdgeService, an_edge
from tests.support.servers.loopback import until
from tests.support.v1.v1_client import error_of
from tests.unit.http.v1.text_generation.test_chat import chunks

HITS = [
    Hit(Chunk(f"v1-{number:06d}", "v1", f"file-{number}", f"docs/{number}.md", f"Text {number}.", 0, 7), 0.9)
    for number in (1, 2)
]
TEXT = "It is so [1] and so [2]. Not so [7]."


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator(TEXT), FakeRetriever(HITS)) as service:
        yield service


async def ask(edge: EdgeService, *messages: Any, **body: Any) -> Any:
    turns = messages or ({"role": "user", "content": "Is it so?"},)
    return await edge.chat(turns, model=body.pop("model", "rag"), **body)


async def test_an_answer_has_sources_citations_and_annotations(edge: EdgeService) -> None:
    result = (await ask(edge)).json()
    assert ChatCompletion.model_validate(result, strict=True).to_dict() == result
    message = result["choices"][0]["message"]
    assert (message["content"], result["choices"][0]["finish_reason"]) == ("It is so [1] and so [2]. Not so.", "stop")
    assert [(source["index"], source["filename"]) for source in message["rag"]["sources"]] == [
        (1, "docs/1.md"), (2, "docs/2.md")
    ]  # fmt: skip
    assert message["rag"]["citations"] == [
        {"index": 1, "file_id": "file-1", "start": 9, "end": 12},
        {"index": 2, "file_id": "file-2", "start": 20, "end": 23},
    ]
    assert message["rag"]["citations_removed"] == 1
    cited = message["annotations"][1]["url_citation"]
    assert message["content"][cited["start_index"] : cited["end_index"]] == "[2]"
    assert (cited["title"], cited["url"]) == ("docs/2.md", f"{edge.url}/v1/files/file-2/content")
    assert (result["model"], result["usage"]["prompt_tokens"]) == ("rag", 7)


async def test_a_stream_agrees_with_the_plain_response(edge: EdgeService) -> None:
    streamed = chunks(await ask(edge, stream=True))
    message = (await ask(edge)).json()["choices"][0]["message"]
    assert [ChatCompletionChunk.model_validate(chunk, strict=True).to_dict() for chunk in streamed] == streamed
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed]
    assert (deltas[0]["role"], deltas[0]["rag"]) == ("assistant", {"sources": message["rag"]["sources"]})
    assert deltas[-1]["annotations"] == message["annotations"]
    assert {**deltas[0]["rag"], **deltas[-1]["rag"]} == {
        **message["rag"],
        "sources_repeated": message["rag"]["sources"],
    }
    assert "".join(delta.get("content", "") for delta in deltas) == message["content"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in streamed] == [None] * (len(streamed) - 1) + ["stop"]


async def test_openais_stream_helper_keeps_the_sources(edge: EdgeService) -> None:
    """It merges lists and texts of the same name in all chunks."""
    turns: Any = [{"role": "user", "content": "Is it so?"}]
    async with edge.openai() as client:
        async with client.chat.completions.stream(model="rag", messages=turns) as stream:
            merged: Any = (await stream.get_final_completion()).choices[0].message
        plain: Any = (await client.chat.completions.create(model="rag", messages=turns)).choices[0].message
    assert merged.rag["sources"] == merged.rag["sources_repeated"] == plain.rag["sources"]


async def test_a_text_that_repeats_itself_is_not_complete() -> None:
    async with an_edge(EndingGenerator("repetition"), FakeRetriever(HITS)) as edge:  # type: ignore[arg-type]
        choice = (await ask(edge)).json()["choices"][0]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("length", "repetition")


async def test_sources_come_before_the_first_token() -> None:
    start = asyncio.Event()
    async with an_edge(FakeGenerator(TEXT, start=start), FakeRetriever(HITS)) as edge, edge.openai() as client:
        turns: Any = [{"role": "user", "content": "Is it so?"}]
        stream = await client.chat.completions.create(model="rag", messages=turns, stream=True)
        first: Any = (await anext(stream)).choices[0].delta
        assert [source["file_id"] for source in first.rag["sources"]] == ["file-1", "file-2"]
        start.set()
        assert [chunk.choices[0].finish_reason async for chunk in stream][-1] == "stop"


async def test_the_request_options_reach_the_retriever(edge: EdgeService) -> None:
    options = {
        "vector_store": "v", "top_k": 3, "filters": {"type": "eq", "key": "a", "value": 1},
        "retrieval": {"mode": "dense"},
    }  # fmt: skip
    response = await ask(
        edge,
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "developer", "content": "In English."},
        {"role": "user", "content": [{"type": "text", "text": "And then?"}]},
        rag={**options, "citations": "off"},
        max_tokens=10,
        seed=4,
    )
    assert response.json()["choices"][0]["message"]["content"] == TEXT
    assert edge.retriever.prepared == [
        {
            **options,
            "question": "And then?",
            "history": [{"role": "user", "content": "First?"}, {"role": "assistant", "content": "Yes."}],
            "system": "Be brief.\n\nIn English.",
            "max_tokens": 10,
            "context_tokens": 512,
            "style": "written",
        }
    ]
    prompt, sampling, _ = edge.generator.requests[-1]
    assert (prompt, sampling) == (
        RenderedChat((1, 2, 3, 4, 5, 6, 7)),
        {"max_tokens": 10, "temperature": 0.0, "seed": 4},
    )


async def test_a_lora_adapter_answers_from_documents(edge: EdgeService) -> None:
    assert (await ask(edge, model="rag:sql")).json()["model"] == "rag:sql"
    assert edge.generator.models == ["sql"]


async def test_n_answers_have_their_own_citations(edge: EdgeService) -> None:
    plain = (await ask(edge, n=2)).json()["choices"]
    assert [choice["message"]["content"] for choice in plain] == ["It is so [1] and so [2]. Not so."] * 2
    assert [len(choice["message"]["rag"]["sources"]) for choice in plain] == [2, 2]
    streamed = chunks(await ask(edge, n=2, stream=True))
    ends = [chunk["choices"][0] for chunk in streamed if chunk["choices"][0]["finish_reason"]]
    assert [(end["index"], len(end["delta"]["annotations"])) for end in ends] == [(0, 2), (1, 2)]


async def test_the_answer_when_nothing_is_found() -> None:
    async with an_edge(retriever=FakeRetriever(note="no rewriting: too slow")) as edge:
        choice = (await ask(edge)).json()["choices"][0]
        assert choice["message"]["content"] == NOT_FOUND
        assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "no_sources")
        assert choice["message"]["annotations"] == []
        assert choice["message"]["rag"] == {
            "sources": [], "style": "written", "citations": [], "citations_removed": 0, "note": "no rewriting: too slow"
        }  # fmt: skip
        assert edge.generator.requests == []


USER = {"role": "user", "content": "Is it so?"}
RETURNED = {"role": "tool", "content": "7", "tool_call_id": "c1"}
INVALID: list[tuple[list[Any], dict[str, Any], str, str]] = [
    ([USER, {"role": "assistant", "content": "Yes."}], {}, "invalid_request", "messages.1.role"),
    ([{"role": "user", "content": "  "}], {}, "empty_question", "messages.0.content"),
    ([{"role": "tool", "content": "a", "tool_call_id": "x"}], {}, "invalid_request", "messages.0.role"),
    ([USER, {"role": "assistant", "content": "Yes."}, RETURNED], {}, "invalid_request", "messages.1.role"),
    ([{"role": "user", "content": "a" * 100_001}], {}, "invalid_request", "messages.0.content"),
    ([USER], {"prompt_logprobs": 1}, "invalid_request", "prompt_logprobs"),
    ([USER], {"rag": {"top_k": 0}}, "invalid_request", "rag.top_k"),
    ([USER], {"rag": {"colour": 0}}, "invalid_request", "rag.colour"),
    ([USER], {"rag": {"citations": "maybe"}}, "invalid_request", "rag.citations"),
    ([USER], {"rag": {"retrieval": {"mode": "odd"}}}, "invalid_request", "rag.retrieval.mode"),
]


async def test_function_calls_of_the_conversation_are_ignored(edge: EdgeService) -> None:
    """An agent goes on after a call, also after one that model `rag` had to make."""
    function = {"name": "add", "arguments": "{}"}
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    first, second = {"role": "user", "content": "What is 3 + 4?"}, {"role": "assistant", "content": "7."}
    for messages, history in (
        ((USER, called, RETURNED), []),
        ((first, called, RETURNED, second, USER), [first, second]),
        ((first, second, USER, called, RETURNED), [first, second]),
    ):
        answer = (await ask(edge, *messages)).json()["choices"][0]["message"]
        assert "function calls and their outputs are ignored" in answer["rag"]["note"]
        request = edge.retriever.prepared[-1]
        assert (request["question"], request.get("history", [])) == (USER["content"], history)


async def test_a_refusal_names_the_invalid_field(edge: EdgeService) -> None:
    for messages, body, code, param in INVALID:
        assert (body, *error_of(await ask(edge, *messages, **body))) == (body, 400, code, param)
    assert edge.retriever.prepared == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_disconnects_stops_the_engine(stream: bool) -> None:
    async with an_edge(FakeGenerator(TEXT, start=asyncio.Event()), FakeRetriever(HITS)) as edge:
        request_task = asyncio.create_task(ask(edge, stream=stream))
        await until(lambda: edge.generator.running == 1)
        request_task.cancel()
        await until(lambda: edge.generator.running == 0)
        assert edge.generator.cancelled == 1
