"""Responses that are kept, continued and erased, through OpenAI's client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response

from rag.auth.caller import Caller
from rag.auth.limits import Limits
from rag.http.clients.remote_compaction import RemoteCompaction
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.v1.responses.memory import ResponseMemory
from rag.http.v1.responses.request.body import ResponsesBody
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.acting import acting
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.servers.loopback import client_of
from tests.support.v1.kept_catalog import HITS, a_keeping_edge
from tests.support.v1.response_calls import create_response
from tests.support.v1.v1_client import error_of

UNKNOWN = "resp_00000000000000000000000000000000"


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_response_is_retrieved_as_it_was_returned(client: Any, model: str) -> None:
    made = await client.responses.create(model=model, input="Hello there", metadata={"team": "a"})
    assert made.store
    assert await client.responses.retrieve(made.id, include=["file_search_call.results"]) == made
    kept = (await client.responses.retrieve(made.id)).to_dict()
    assert Response.model_validate(kept, strict=True).to_dict() == kept


async def test_a_streamed_response_can_be_retrieved_once_its_last_event_has_arrived(
    client: Any,
) -> None:
    *_, last = [event async for event in await client.responses.create(model="rag", input="Zebras?", stream=True)]
    assert last.type == "response.completed"
    assert await client.responses.retrieve(last.response.id) == last.response


async def test_a_deleted_response_is_gone_with_its_items(edge: EdgeService, client: Any) -> None:
    made = await client.responses.create(model=MODEL, input="Hello there")
    await client.responses.delete(made.id)
    for call in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError):
            await call(made.id)
    refused = await create_response(edge, input=[{"type": "item_reference", "id": made.output[0].id}])
    assert error_of(refused) == (404, "not_found", "input")


async def test_store_false_keeps_nothing(client: Any) -> None:
    made = await client.responses.create(model=MODEL, input="Hello there", store=False)
    assert made.store is False
    with pytest.raises(openai.NotFoundError, match="there is no response"):
        await client.responses.retrieve(made.id)


async def test_a_service_that_keeps_nothing_refuses_store_true(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, may_store=False) as edge, edge.openai() as client:
        assert error_of(await create_response(edge, store=True)) == (400, "invalid_request", "store")
        made: Any = await client.responses.create(model=MODEL, input="Hello there")
        assert made.store is False
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_kept_says_so(stream: bool) -> None:
    async with an_edge(FakeGenerator("Grass."), FakeRetriever(HITS)) as edge, edge.openai() as client:
        made: Any
        if stream:
            events = [event async for event in await client.responses.create(model=MODEL, input="a", stream=True)]
            made = getattr(events[-1], "response", None)
        else:
            made = await client.responses.create(model=MODEL, input="a")
        assert (made.status, made.output_text, made.store) == ("completed", "Grass.", False)


async def test_previous_responses_are_the_conversation(edge: EdgeService, client: Any) -> None:
    first = await client.responses.create(model="rag", input="What do zebras eat?", instructions="Be brief.")
    second = await client.responses.create(model="rag", input="And lions?", previous_response_id=first.id)
    third = await client.responses.create(model=MODEL, input="And we?", previous_response_id=second.id)
    assert (second.previous_response_id, third.previous_response_id) == (first.id, second.id)
    prepared = edge.retriever.prepared[1]
    before = [
        {"role": "user", "content": "What do zebras eat?"},
        {"role": "assistant", "content": first.output_text},
    ]
    assert (prepared["question"], prepared["history"], "system" in prepared) == ("And lions?", before, False)
    messages = list(edge.generator.requests[-1][0].messages)
    between = [{"role": "user", "content": "And lions?"}, {"role": "assistant", "content": second.output_text}]
    assert messages == [*before, *between, {"role": "user", "content": "And we?"}]


async def test_a_conversation_begins_after_a_deleted_response(edge: EdgeService, client: Any) -> None:
    first = await client.responses.create(model=MODEL, input="One")
    second = await client.responses.create(model=MODEL, input="Two", previous_response_id=first.id)
    await client.responses.delete(first.id)
    await client.responses.create(model=MODEL, input="Three", previous_response_id=second.id)
    assert [message["content"] for message in edge.generator.requests[-1][0].messages] == ["Two", "Grass [1].", "Three"]


async def test_an_unknown_previous_response_is_named(edge: EdgeService) -> None:
    for stream in (False, True):
        refused = await create_response(edge, previous_response_id=UNKNOWN, stream=stream)
        assert error_of(refused) == (404, "not_found", "previous_response_id")


async def test_items_are_referred_to_by_id(edge: EdgeService, client: Any) -> None:
    """As Vercel's AI SDK does at the second turn of a conversation."""
    first = await client.responses.create(model="rag", input="What do zebras eat?")
    references: list[Any] = [{"type": "item_reference", "id": item.id} for item in first.output]
    turn: list[Any] = [{"role": "user", "content": "What do zebras eat?"}, *references]
    second = await client.responses.create(model="rag", input=[*turn, {"role": "user", "content": "And lions?"}])
    assert edge.retriever.prepared[-1]["history"][-1] == {"role": "assistant", "content": first.output_text}
    kept = (await client.responses.input_items.list(second.id, order="asc")).data
    assert [item.type for item in kept] == ["message", "file_search_call", "message", "message"]
    assert not {item.id for item in kept} & {item.id for item in first.output}
    assert error_of(await create_response(edge, input=[{"type": "item_reference"}])) == (
        400,
        "invalid_request",
        "input.0.id",
    )


async def test_input_items_are_listed_with_cursors(client: Any) -> None:
    messages: list[Any] = [{"role": "user", "content": text} for text in ("One", "Two")]
    answer: Any = {"role": "assistant", "content": [{"type": "output_text", "text": "Three", "annotations": []}]}
    made = await client.responses.create(model=MODEL, input=[*messages, answer, {"role": "user", "content": "Four"}])
    items = client.responses.input_items

    async def texts(**query: Any) -> list[str]:
        return [item.content[0].text async for item in items.list(made.id, **query)]

    assert await texts(order="asc", limit=3) == ["One", "Two", "Three", "Four"]
    assert await texts() == ["Four", "Three", "Two", "One"]
    page = await items.list(made.id, order="asc", limit=2)
    assert page.has_more
    third, _ = (await items.list(made.id, order="asc", after=page.data[-1].id)).data
    assert (third.type, third.role, third.content[0].type) == ("message", "assistant", "output_text")
    with pytest.raises(openai.BadRequestError, match="after"):
        await items.list(made.id, after="msg_0")


async def test_only_background_responses_can_be_cancelled(client: Any) -> None:
    made = await client.responses.create(model=MODEL, input="Hello there")
    with pytest.raises(openai.BadRequestError, match="background"):
        await client.responses.cancel(made.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.cancel(UNKNOWN)


async def test_only_a_caller_with_a_quota_is_checked_before_the_answer(edge: EdgeService) -> None:
    limited = Caller("key", "acme", frozenset(["ask"]), None, Limits(max_kept_bytes=9))
    body = ResponsesBody.model_validate({"model": MODEL, "input": "Hello"})
    async with client_of(edge.retriever.app, "Retriever") as retriever:
        memory = ResponseMemory(RemoteResponses(retriever), RemoteCompaction(retriever, 60.0), may_store=True)
        await memory.turns(body, is_kept=True)
        with acting(limited):
            await memory.turns(body, is_kept=False)
            assert edge.retriever.turns_queries == []
            await memory.turns(body, is_kept=True)
    assert [query.is_kept for query in edge.retriever.turns_queries] == [True]
