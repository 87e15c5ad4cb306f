"""Chat completions that are kept, through OpenAI's client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from rag.auth.caller import Caller
from rag.auth.limits import Limits
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.v1.chat.body import ChatBody
from rag.http.v1.chat.memory import CompletionMemory
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.acting import acting
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.servers.loopback import client_of
from tests.support.v1.kept_catalog import HITS, a_keeping_edge
from tests.support.v1.v1_client import error_of

MESSAGES: list[Any] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What do zebras eat?"}], "name": "ada"},
]


async def complete(client: Any, **options: Any) -> Any:
    return await client.chat.completions.create(**{"model": MODEL, "messages": MESSAGES, "store": True, **options})


async def ids(client: Any, **query: Any) -> list[str]:
    return [completion.id async for completion in client.chat.completions.list(**query)]


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_completion_is_retrieved_as_it_was_returned(client: Any, model: str) -> None:
    made = await complete(client, model=model, metadata={"team": "a"})
    kept = await client.chat.completions.retrieve(made.id)
    assert kept.to_dict() == {**made.to_dict(), "metadata": {"team": "a"}}
    messages = [message async for message in client.chat.completions.messages.list(made.id)]
    assert [message.id for message in messages] == [f"{made.id}-0", f"{made.id}-1"]
    assert [(message.role, message.content) for message in messages] == [
        ("developer", "Be brief."),
        ("user", "What do zebras eat?"),
    ]
    assert messages[1].name == "ada"
    last = (await client.chat.completions.messages.list(made.id, order="desc", limit=1)).data
    assert [message.id for message in last] == [f"{made.id}-1"]


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_streamed_completion_is_kept_before_its_stream_ends(client: Any, model: str) -> None:
    chunks = [chunk async for chunk in await complete(client, model=model, stream=True)]
    kept = await client.chat.completions.retrieve(chunks[0].id)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert (kept.object, kept.choices[0].message.content) == ("chat.completion", text)
    assert kept.usage.completion_tokens > 0


async def test_completions_are_listed_by_model_and_metadata(client: Any) -> None:
    first = await complete(client, metadata={"team": "a", "it's": "so"})
    second = await complete(client, model="rag", metadata={"team": "b"})
    third = await complete(client, model="rag", metadata={"team": "a"})
    assert await ids(client) == [first.id, second.id, third.id]
    assert await ids(client, order="desc", limit=1) == [third.id, second.id, first.id]
    assert await ids(client, model="rag", after=second.id) == [third.id]
    assert await ids(client, metadata={"team": "a"}) == [first.id, third.id]
    assert await ids(client, metadata={"team": "a", "it's": "so"}) == [first.id]
    assert await ids(client, metadata={"team": "c"}) == []


async def test_metadata_is_replaced_and_a_completion_is_erased(client: Any) -> None:
    made = await complete(client, metadata={"team": "a"})
    completions = client.chat.completions
    assert (await completions.update(made.id, metadata={"topic": "b"})).metadata == {"topic": "b"}
    assert await ids(client, metadata={"topic": "b"}) == [made.id]
    deleted = await completions.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "chat.completion.deleted", True)
    for call in (completions.retrieve, completions.delete, completions.messages.list):
        with pytest.raises(openai.NotFoundError, match="there is no chat completion"):
            await call(made.id)
    assert await ids(client) == []


async def test_only_requests_with_store_true_are_kept(client: Any) -> None:
    await complete(client, store=False)
    await complete(client, store=None)
    assert await ids(client) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"metadata": "a"}, "metadata"),
        ({'metadata["a"]': "b"}, "metadata"),
        ({"metadata[a]": "b" * 513}, "metadata.a"),
        ({"metadata[]": "b"}, "metadata."),
        ({"limit": "0"}, "limit"),
        ({"colour": "b"}, "colour"),
        ({"after": "chatcmpl-1"}, "after"),
    ],
)
async def test_an_invalid_query_is_named(edge: EdgeService, query: dict[str, str], param: str) -> None:
    async with httpx.AsyncClient() as http:
        refused = await http.get(f"{edge.url}/v1/chat/completions", params=query)
    assert error_of(refused)[:2] == (400, "invalid_request")
    assert (refused.json()["error"]["param"] or "").startswith(param)


async def test_a_service_that_keeps_nothing_refuses_store_true(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, may_store=False) as edge:
        refused = await edge.chat("Hello", store=True)
        assert error_of(refused) == (400, "invalid_request", "store")
        assert (await edge.chat("Hello", store=False)).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_completion_that_cannot_be_kept_is_answered(stream: bool) -> None:
    async with an_edge(FakeGenerator("Grass."), FakeRetriever(HITS)) as edge:
        answer = await edge.chat("Hello", store=True, stream=stream)
    assert answer.status_code == 200
    assert "Grass." in answer.text
    assert answer.text.endswith("[DONE]\n\n") == stream


async def test_a_completion_that_fails_is_not_kept(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, FakeGenerator("one two", dies_after=1)) as edge, edge.openai() as client:
        await edge.chat("Hello", store=True)
        await edge.chat("Hello", store=True, stream=True)
        assert await ids(client) == []


async def test_a_caller_with_a_quota_is_checked_before_a_completion_that_is_kept(edge: EdgeService) -> None:
    limited = Caller("key", "acme", frozenset(["ask"]), None, Limits(max_kept_bytes=9))
    body = ChatBody.model_validate({"model": MODEL, "messages": MESSAGES})
    async with client_of(edge.retriever.app, "Retriever") as retriever:
        memory = CompletionMemory(RemoteResponses(retriever), may_store=True)
        with acting(limited):
            await memory.check(body)
            assert edge.retriever.turns_queries == []
            await memory.check(body.model_copy(update={"store": True}))
    assert [query.is_kept for query in edge.retriever.turns_queries] == [True]
