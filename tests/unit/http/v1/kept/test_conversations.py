"""Conversations, through OpenAI's client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest
from jsonschema_rs import Draft202012Validator
from openai.types.conversations import Conversation

from rag.catalog.answers import conversations as rows
from rag.http.published_document import document
from rag.types import JsonObject
from tests.fakes import FakeGenerator
from tests.support.servers.edge_service import MODEL, EdgeService
from tests.support.servers.loopback import until
from tests.support.v1.kept_catalog import a_keeping_edge
from tests.support.v1.open_responses import Message
from tests.support.v1.response_calls import create_response
from tests.support.v1.v1_client import error_of

UNKNOWN = "conv_00000000000000000000000000000000"
HELLO: Any = {"role": "user", "content": "Hello"}


async def items_of(client: Any, conversation: Any, **query: Any) -> list[Any]:
    return [item async for item in client.conversations.items.list(conversation.id, **{"order": "asc", **query})]


async def texts_of(client: Any, conversation: Any, **query: Any) -> list[str]:
    items = await items_of(client, conversation, **query)
    return [item.content[0].text for item in items if item.type == "message"]


async def test_a_conversation_is_created_changed_and_erased(client: Any) -> None:
    made = await client.conversations.create(metadata={"team": "a"})
    assert Conversation.model_validate(made.to_dict(), strict=True).to_dict() == made.to_dict()
    assert (made.object, made.metadata) == ("conversation", {"team": "a"})
    assert await client.conversations.retrieve(made.id) == made
    updated = await client.conversations.update(made.id, metadata={"team": "b"})
    assert (updated.metadata, updated.created_at) == ({"team": "b"}, made.created_at)
    assert (await client.conversations.update(made.id, metadata=None)).metadata == {}
    deleted = await client.conversations.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "conversation.deleted", True)
    for call in (client.conversations.retrieve, client.conversations.delete, client.conversations.items.list):
        with pytest.raises(openai.NotFoundError, match="there is no conversation"):
            await call(made.id)


async def test_items_are_added_listed_retrieved_and_erased(client: Any) -> None:
    parts: Any = [{"type": "output_text", "text": "Hi", "annotations": []}]
    call: Any = {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["zebras"]}
    made = await client.conversations.create(items=[HELLO])
    added = await client.conversations.items.create(made.id, items=[call, {"role": "assistant", "content": parts}])
    assert ([item.type for item in added.data], added.has_more) == (["file_search_call", "message"], False)
    assert [added.first_id, added.last_id] == [item.id for item in added.data]
    first, search, answer = await items_of(client, made, limit=2)
    assert (search, answer) == tuple(added.data)
    assert (search.queries, search.results) == (["zebras"], None)
    for message in (first, answer):
        Message.model_validate(message.to_dict())
    assert [item.id for item in await items_of(client, made, order="desc", after=answer.id)] == [search.id, first.id]
    include: Any = ["file_search_call.results"]
    items = client.conversations.items
    assert await items.retrieve(answer.id, conversation_id=made.id, include=include) == answer
    assert await items.delete(answer.id, conversation_id=made.id) == made
    for call in (items.retrieve, items.delete):
        with pytest.raises(openai.NotFoundError, match="has no item"):
            await call(answer.id, conversation_id=made.id)
    with pytest.raises(openai.BadRequestError, match="after"):
        await items.list(made.id, after=answer.id)


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("items", {"items": [HELLO] * 21}),
        ("items", {"items": "Hello"}),
        ("items.0.content", {"items": [{"role": "user"}]}),
        ("items.1.type", {"items": [HELLO, {"type": "item_reference", "id": "msg_1"}]}),
        ("items.0.call_id", {"items": [{"type": "function_call", "name": "f"}]}),
        ("items.0.type", {"items": [{"type": "computer_call"}]}),
        ("metadata", {"metadata": {str(number): "x" for number in range(17)}}),
        ("metadata.a", {"metadata": {"a": "x" * 513}}),
        ("colour", {"colour": 1}),
    ],
)
async def test_a_refusal_names_the_field(edge: EdgeService, param: str, body: Any) -> None:
    assert error_of(await edge.post("/v1/conversations", body)) == (400, "invalid_request", param)
    made = (await edge.post("/v1/conversations", {})).json()
    path = f"/v1/conversations/{made['id']}"
    changed = await edge.post(path if param.startswith("metadata") else f"{path}/items", body)
    assert error_of(changed)[:2] == (400, "invalid_request")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_continues_a_conversation(edge: EdgeService, client: Any, stream: bool) -> None:
    made = await client.conversations.create(items=[HELLO, {"role": "developer", "content": "Be kind."}])

    async def answer(text: str, **options: Any) -> Any:
        body = {"input": text, "stream": stream, **options}
        answered: Any = await client.responses.create(**body)
        return [event async for event in answered][-1].response if stream else answered

    first = await answer("What do zebras eat?", model="rag", conversation=made.id)
    second = await answer("And lions?", model="rag", conversation={"id": made.id})
    third = await answer("And we?", model=MODEL, conversation=made.id, store=False)
    assert first.conversation.id == second.conversation.id == third.conversation.id == made.id
    prepared, before = edge.retriever.prepared[1], [HELLO, {"role": "user", "content": "What do zebras eat?"}]
    assert prepared["question"] == "And lions?"
    assert prepared["history"] == [*before, {"role": "assistant", "content": first.output_text}]
    assert prepared["system"] == "Be kind."
    messages = [message["content"] for message in edge.generator.requests[-1][0].messages]
    texts = ["Hello", "Be kind.", "What do zebras eat?", "Grass [1].", "And lions?", "Grass [1].", "And we?"]
    assert messages == texts
    assert await texts_of(client, made) == [*texts, "Grass [1]."]
    ids = {item.id for item in await items_of(client, made)}
    assert ids > {item.id for response in (first, second, third) for item in response.output}
    assert (await client.responses.retrieve(first.id)).conversation.id == made.id
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(third.id)


async def test_responses_of_the_same_time_lose_no_items(tmp_path: Path) -> None:
    generator = FakeGenerator("Grass.", start=(begin := asyncio.Event()))
    async with a_keeping_edge(tmp_path, generator) as edge, edge.openai() as client:
        made = await client.conversations.create()
        inputs = [str(number) for number in range(8)]
        tasks = [
            asyncio.create_task(create_response(edge, input=text, conversation=made.id, stream=text in "0246"))
            for text in inputs
        ]
        await until(lambda: generator.running == len(inputs))
        begin.set()
        await asyncio.gather(*tasks)
        texts = await texts_of(client, made)
    assert sorted(texts[::2]) == inputs
    assert texts[1::2] == ["Grass."] * len(inputs)


async def test_an_answer_that_fails_or_is_interrupted_adds_nothing(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, FakeGenerator("one two three", dies_after=2)) as edge, edge.openai() as client:
        made = await client.conversations.create(items=[HELLO])
        for stream in (False, True):
            await create_response(edge, conversation=made.id, stream=stream)
        edge.generator.dies_after, edge.generator.stalls_after = None, 2
        for stream in (False, True):
            request = asyncio.create_task(create_response(edge, conversation=made.id, stream=stream))
            await until(lambda: edge.generator.running == 1)
            request.cancel()
            await until(lambda: edge.generator.running == 0)
        assert await texts_of(client, made) == ["Hello"]
        edge.generator.stalls_after = None
        cut = (await create_response(edge, conversation=made.id, max_output_tokens=1)).json()
        assert cut["status"] == "incomplete"
        assert await texts_of(client, made) == ["Hello", "Hello there", "one "]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_added_is_an_error(tmp_path: Path, stream: bool) -> None:
    generator = FakeGenerator("Grass.", start=(begin := asyncio.Event()))
    async with a_keeping_edge(tmp_path, generator) as edge, edge.openai() as client:
        made = await client.conversations.create()
        request = asyncio.create_task(create_response(edge, conversation=made.id, stream=stream))
        await until(lambda: generator.running == 1)
        await client.conversations.delete(made.id)
        begin.set()
        answer = await request
    if stream:
        assert "event: response.failed" in answer.text
        assert '"code":"not_found"' in answer.text.replace(" ", "")
        assert '"store":false' in answer.text.replace(" ", "")
    else:
        assert error_of(answer) == (404, "not_found", "conversation")


async def test_a_request_is_refused_before_it_is_answered(edge: EdgeService, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await edge.post("/v1/conversations", {"items": [HELLO]})).json()
    monkeypatch.setattr(rows, "MAX_ITEMS", 2)
    for stream in (False, True):
        unknown = await create_response(edge, conversation=UNKNOWN, stream=stream)
        assert error_of(unknown) == (404, "not_found", "conversation")
        full = await create_response(edge, conversation=made["id"], stream=stream)
        assert error_of(full) == (400, "invalid_request", "conversation")
    assert edge.generator.requests == []


async def test_items_of_a_conversation_can_be_referred_to(edge: EdgeService, client: Any) -> None:
    made = await client.conversations.create(items=[HELLO])
    [item] = await items_of(client, made)
    reference: Any = {"type": "item_reference", "id": item.id}
    await client.responses.create(model=MODEL, input=[reference, {"role": "user", "content": "Bye"}])
    assert [message["content"] for message in edge.generator.requests[-1][0].messages] == ["Hello", "Bye"]


async def test_a_service_that_keeps_nothing_has_no_conversations(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, may_store=False) as edge:
        assert error_of(await edge.post("/v1/conversations", {})) == (400, "invalid_request", None)
        refused = await create_response(edge, conversation=UNKNOWN)
        assert error_of(refused) == (400, "invalid_request", "conversation")


async def test_items_of_each_type_match_the_published_document(client: Any) -> None:
    schemas = document()["components"]
    described = Draft202012Validator({"$ref": "#/components/schemas/ItemPage", "components": schemas})
    file: JsonObject = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,YQ=="}
    call = {"server_label": "plants", "name": "find", "arguments": "{}"}
    items: list[JsonObject] = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}, file]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c", "name": "note", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "noted"},
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "plants", "tools": []},
        {"type": "mcp_call", "id": "mcp_1", **call, "output": "none"},
        {"type": "mcp_approval_request", "id": "mcpr_1", **call},
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    ]
    made = await client.conversations.create()
    page = (await client.conversations.items.create(made.id, items=items)).to_dict()
    described.validate(page)
    assert [item["type"] for item in page["data"]][1:] == [item["type"] for item in items[1:]]
