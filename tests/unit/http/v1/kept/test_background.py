"""Responses in the background, through OpenAI's client, with a real catalog."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
import sqlalchemy as sa
from openai.types.responses import Response

from rag.adapters.memory_counters import MemoryCounters
from rag.auth.caller import WITHOUT_KEY, Caller, caller_to_header
from rag.auth.key import NewKey
from rag.auth.limits import Limits
from rag.catalog.tables.schema import background_responses
from rag.errors import RateLimitExceeded, VectorStoreNotFound
from rag.http.auth.token_limits import TokenLimits
from rag.http.v1.responses.background.worker import MAX_ATTEMPTS, WorkerOptions
from rag.library.answers import background as library
from rag.library.answers.responses import ResponseRegistry
from rag.library.keys import KeyRegistry
from rag.records import NewResponse, NewWork
from tests.fakes import FakeGenerator
from tests.support.acting import acting
from tests.support.servers.edge_service import MODEL, EdgeService
from tests.support.servers.loopback import until
from tests.support.v1.kept_catalog import a_keeping_edge
from tests.support.v1.response_calls import create_response
from tests.support.v1.v1_client import error_of

UNFINISHED = ("queued", "in_progress")
AT_ONCE = WorkerOptions(retry_after_s=0.0)


async def start(client: Any, **options: Any) -> Any:
    return await client.responses.create(**{"model": MODEL, "input": "Hello there", "background": True, **options})


async def ended(client: Any, response: Any) -> Any:
    """The response, once it has ended."""
    async with asyncio.timeout(120):
        while response.status in UNFINISHED:
            await asyncio.sleep(0.02)
            response = await client.responses.retrieve(response.id)
    return response


async def all_of(stream: Any) -> list[Any]:
    return [event async for event in stream]


@contextlib.asynccontextmanager
async def an_edge(folder: Path, generator: FakeGenerator, **options: Any) -> AsyncIterator[tuple[EdgeService, Any]]:
    async with a_keeping_edge(folder, generator, **{"background": AT_ONCE, **options}) as edge, edge.openai() as client:
        yield edge, client


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_response_is_queued_then_in_progress_then_complete(tmp_path: Path, model: str) -> None:
    generator = FakeGenerator("Grass [1].", start=(begin := asyncio.Event()))
    async with an_edge(tmp_path, generator) as (_, client):
        queued = await start(client, model=model, metadata={"team": "a"})
        assert (queued.status, queued.background, queued.output, queued.store) == ("queued", True, [], True)
        await until(lambda: generator.running == 1)
        running = await client.responses.retrieve(queued.id)
        assert (running.status, running.output, running.usage) == ("in_progress", [], None)
        begin.set()
        last = await ended(client, queued)
        Response.model_validate(last.to_dict(), strict=True)
        assert (last.status, last.output_text, last.background) == ("completed", "Grass [1].", True)
        assert (last.id, last.created_at, last.metadata) == (queued.id, queued.created_at, {"team": "a"})
        assert last.usage.output_tokens == 2
        following = await client.responses.create(model=MODEL, input="And?", previous_response_id=last.id)
        assert following.status == "completed"
    contents = [message["content"] for message in generator.requests[-1][0].messages]
    assert contents == ["Hello there", "Grass [1].", "And?"]


async def test_a_text_that_is_cut_is_incomplete(tmp_path: Path) -> None:
    async with an_edge(tmp_path, FakeGenerator("one two three")) as (_, client):
        last = await ended(client, await start(client, max_output_tokens=2))
    assert (last.status, last.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert last.output_text == "one two "


@pytest.mark.parametrize(
    ("param", "body"),
    [
        ("background", {"store": False}),
        ("style", {"style": "quoted"}),
        ("model", {"model": "unknown"}),
        ("previous_response_id", {"previous_response_id": "resp_0"}),
        ("truncation", {"truncation": "auto"}),
        ("background_options", {"background_options": {}}),
    ],
)
async def test_what_cannot_be_answered_is_refused_at_once(edge: EdgeService, param: str, body: Any) -> None:
    status, _, named = error_of(await create_response(edge, background=True, **body))
    assert (status in (400, 404), named) == (True, param)


async def test_a_service_that_keeps_nothing_has_no_background(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, may_store=False) as edge:
        refused = await create_response(edge, background=True)
    assert error_of(refused) == (400, "invalid_request", "background")


async def test_a_failure_is_told_in_the_object(tmp_path: Path) -> None:
    async with an_edge(tmp_path, FakeGenerator()) as (edge, client):
        edge.retriever.failure = VectorStoreNotFound("there is no vector store 'gone'")
        last = await ended(client, await start(client, model="rag"))
        assert (last.status, last.output, last.store) == ("failed", [], True)
        assert (last.error.code, last.error.message) == ("server_error", "there is no vector store 'gone'")
        assert last.error.to_dict()["type"] == "vector_store_not_found"
        stream = await start(client, model="rag", stream=True)
        with pytest.raises(openai.APIError, match="no vector store"):
            await all_of(stream)


async def test_an_engine_that_dies_is_tried_again_a_few_times(tmp_path: Path) -> None:
    generator = FakeGenerator("one two three", dies_after=2)
    async with an_edge(tmp_path, generator) as (_, client):
        last = await ended(client, await start(client))
        assert (last.status, last.error.message, last.output_text) == ("failed", "the engine died", "one two ")
        assert len(generator.requests) == MAX_ATTEMPTS
        generator.dies_after = None
        assert (await ended(client, await start(client))).status == "completed"


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_stops_the_engine(tmp_path: Path, stream: bool) -> None:
    generator = FakeGenerator("one two three", stalls_after=2)
    async with an_edge(tmp_path, generator) as (_, client):
        started = await start(client, stream=stream)
        events = aiter(started) if stream else None
        response = started if events is None else (await anext(events)).response
        await until(lambda: generator.running == 1)
        cancelled = await client.responses.cancel(response.id)
        assert (cancelled.id, cancelled.status, cancelled.output) == (response.id, "cancelled", [])
        await until(lambda: generator.cancelled == 1)
        assert await client.responses.cancel(response.id) == cancelled
        assert await client.responses.retrieve(response.id) == cancelled
        if events is not None:
            last = (await all_of(events))[-1]
            assert (last.type, last.response.status) == ("response.incomplete", "cancelled")


async def test_one_that_is_queued_is_cancelled_before_it_begins(tmp_path: Path) -> None:
    generator = FakeGenerator("one two", stalls_after=1)
    async with an_edge(tmp_path, generator, background=WorkerOptions(at_once=1)) as (_, client):
        first = await start(client)
        await until(lambda: generator.running == 1)
        second = await start(client)
        assert (await client.responses.cancel(second.id)).status == "cancelled"
        await client.responses.cancel(first.id)
        await until(lambda: generator.running == 0)
        generator.stalls_after = None
        assert (await ended(client, await start(client))).status == "completed"
    assert len(generator.requests) == 2


async def test_one_that_has_ended_is_not_cancelled(edge: EdgeService, client: Any) -> None:
    last = await ended(client, await start(client))
    assert await client.responses.cancel(last.id) == last
    plain = await client.responses.create(model=MODEL, input="Hello there")
    refused = await edge.post(f"/v1/responses/{plain.id}/cancel", {})
    assert error_of(refused) == (400, "invalid_request", "response_id")


async def test_deleting_stops_the_engine_and_the_stream(tmp_path: Path) -> None:
    generator = FakeGenerator("one two three", stalls_after=2)
    async with an_edge(tmp_path, generator) as (_, client):
        events = aiter(await start(client, stream=True))
        response = (await anext(events)).response
        await until(lambda: generator.running == 1)
        await client.responses.delete(response.id)
        await until(lambda: generator.cancelled == 1)
        with pytest.raises(openai.APIError, match="there is no response"):
            await all_of(events)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)


async def test_a_stream_goes_on_after_a_disconnect(tmp_path: Path) -> None:
    generator = FakeGenerator("one two three", stalls_after=2)
    async with an_edge(tmp_path, generator) as (_, client):
        stream = await start(client, stream=True)
        seen = []
        async for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        response_id = seen[0].response.id
        assert [event.type for event in seen[:3]] == ["response.created", "response.queued", "response.in_progress"]
        assert [event.response.status for event in seen[:3]] == ["queued", "queued", "in_progress"]
        assert generator.running == 1
        rest = asyncio.ensure_future(
            all_of(await client.responses.retrieve(response_id, stream=True, starting_after=seen[-1].sequence_number))
        )
        await client.responses.cancel(response_id)
        both = [*seen, *await rest]
        assert [event.sequence_number for event in both] == list(range(len(both)))
        assert await all_of(await client.responses.retrieve(response_id, stream=True)) == both


async def test_a_streamed_response_ends_like_any_other(tmp_path: Path) -> None:
    async with an_edge(tmp_path, FakeGenerator("Grass [1], mostly.")) as (_, client):
        events = await all_of(await start(client, model="rag", stream=True))
        kept = await client.responses.retrieve(events[0].response.id)
        plain = [event.type async for event in await start(client, model="rag", stream=True, background=False)]
        again = await all_of(await client.responses.retrieve(kept.id, stream=True, starting_after=0))
    assert (events[-1].type, events[-1].response.output_text) == ("response.completed", "Grass [1], mostly.")
    assert events[-1].response == kept
    assert again == events[1:]
    names = [event.type for event in events]
    assert names.pop(1) == "response.queued"
    delta = "response.output_text.delta"  # those of one moment are kept as one
    assert [name for name in names if name != delta] == [name for name in plain if name != delta]


@pytest.mark.parametrize("background", [False, True])
async def test_events_are_padded_if_the_client_asks_for_it(edge: EdgeService, client: Any, background: bool) -> None:
    options: Any = {"stream": True, "stream_options": {"include_obfuscation": True}}
    events = await all_of(await start(client, background=background, **options))
    padded = {event.type for event in events if event.to_dict().get("obfuscation")}
    assert padded == {"response.output_text.delta"}
    for event in events:
        if event.type in padded:
            assert (len(json.dumps(event.delta)) + len(event.to_dict()["obfuscation"])) % 32 == 0
    if background:
        again = await client.responses.retrieve(events[0].response.id, stream=True, include_obfuscation=False)
        assert not any("obfuscation" in event.to_dict() for event in await all_of(again))


async def test_only_streams_in_the_background_can_be_streamed_again(edge: EdgeService, client: Any) -> None:
    for options in ({"background": True}, {"background": False}):
        made = await ended(client, await start(client, **options))
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.retrieve(made.id, stream=True)
        assert refused.value.param == "stream"
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.retrieve(made.id, starting_after=1)
    assert refused.value.param == "starting_after"
    events = await all_of(await start(client, stream=True))
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.retrieve(events[0].response.id, stream=True, starting_after=events[-1].sequence_number)
    assert refused.value.param == "starting_after"


async def test_one_that_has_not_ended_cannot_be_continued(tmp_path: Path) -> None:
    generator = FakeGenerator("one", start=(begin := asyncio.Event()))
    async with an_edge(tmp_path, generator) as (edge, client):
        first = await start(client)
        refused = await create_response(edge, previous_response_id=first.id)
        assert error_of(refused) == (400, "invalid_request", "previous_response_id")
        begin.set()
        await ended(client, first)


async def test_a_conversation_is_continued_when_the_answer_is_complete(tmp_path: Path) -> None:
    generator = FakeGenerator("Hi.", start=(begin := asyncio.Event()))
    async with an_edge(tmp_path, generator) as (_, client):
        made = await client.conversations.create()
        first = await start(client, conversation=made.id)
        await until(lambda: generator.running == 1)
        assert (await client.conversations.items.list(made.id)).data == []
        begin.set()
        await ended(client, first)
        items = (await client.conversations.items.list(made.id, order="asc")).data
        assert [item.content[0].text for item in items] == ["Hello there", "Hi."]
        begin.clear()
        second = await start(client, conversation=made.id)
        await until(lambda: generator.running == 1)
        await client.conversations.delete(made.id)
        begin.set()
        last = await ended(client, second)
        assert (last.status, last.error.to_dict()["param"]) == ("failed", "conversation")


async def test_what_an_edge_gives_up_when_it_stops_is_begun_again(tmp_path: Path) -> None:
    generator = FakeGenerator("one two three", stalls_after=2)
    async with an_edge(tmp_path, generator) as (edge, client):
        events = aiter(await start(client, stream=True))
        first = await anext(events)
        await until(lambda: generator.running == 1)
        seen = [first, *[await anext(events) for _ in range(5)]]
        assert seen[-1].type == "response.output_text.delta"
        await edge.background.close()
        await until(lambda: generator.running == 0)
        generator.stalls_after = None
        edge.background.start()
        rest = await all_of(events)
        assert rest[0].type == "response.in_progress"
        assert (rest[-1].type, rest[-1].response.output_text) == ("response.completed", "one two three")
        numbers = [event.sequence_number for event in [*seen, *rest]]
        assert numbers == sorted(set(numbers))
        again = await all_of(await client.responses.retrieve(first.response.id, stream=True))
        assert again == [*seen[:2], *rest]


def queue_for(edge: EdgeService, asker: Caller) -> str:
    """Queue a response of this caller. Returns its id."""
    body = {"id": "resp_1", "status": "queued", "created_at": 1, "previous_response_id": None}
    request = {"model": MODEL, "input": "Hello there", "background": True}
    assert edge.retriever.background is not None
    with acting(asker):
        work = NewWork("resp_1", request, caller_to_header(asker), "request", streams=False)
        edge.retriever.background.enqueue(NewResponse("resp_1", body, [], []), work)
    edge.background.wake()
    return "resp_1"


def state_of(edge: EdgeService) -> Any:
    assert edge.retriever.background is not None
    with edge.retriever.background._database.read() as connection:
        return connection.execute(sa.select(background_responses)).one()


async def test_the_tokens_are_those_of_the_caller(tmp_path: Path) -> None:
    generator, tokens = FakeGenerator("one"), TokenLimits(MemoryCounters())
    async with an_edge(tmp_path, generator, tokens=tokens) as (edge, _):
        asker = Caller("key", "acme", frozenset(["generate"]), key_limits=Limits(tokens_per_day=3))
        queue_for(edge, asker)
        await until(lambda: state_of(edge).state == "ended")
        await tokens.check(replace(asker, key_id="another"), {})
        with pytest.raises(RateLimitExceeded):
            await tokens.check(asker, {})
    assert generator.requests[0][2] == "request"


async def test_a_key_that_was_revoked_gets_no_answer(tmp_path: Path) -> None:
    generator = FakeGenerator("one")
    async with an_edge(tmp_path, generator) as (edge, _):
        assert edge.retriever.background is not None
        database = edge.retriever.background._database
        keys = KeyRegistry(database)
        key = keys.revoke(keys.create(NewKey("one", ["generate"])).record.key_id)
        queue_for(edge, key.caller)
        await until(lambda: state_of(edge).state == "ended")
        with acting(key.caller):
            answer = ResponseRegistry(database, 30).get("resp_1")
    assert (answer["status"], answer["error"]["message"]) == ("failed", "the API key is revoked")
    assert generator.requests == []


async def test_what_was_interrupted_again_and_again_fails(tmp_path: Path) -> None:
    """A request that ends each process that serves it must not do so for ever."""
    generator = FakeGenerator("one")
    async with an_edge(tmp_path, generator) as (edge, _):
        registry = edge.retriever.background
        assert registry is not None
        await edge.background.close()
        queue_for(edge, WITHOUT_KEY)
        for _ in range(MAX_ATTEMPTS):
            assert registry.lease() is not None
            with registry._database.write() as connection:
                connection.execute(sa.update(background_responses).values(leased_until=1.0))
        edge.background.start()
        await until(lambda: state_of(edge).state == "ended")
        with acting(WITHOUT_KEY):
            answer = ResponseRegistry(registry._database, 30).get("resp_1")
    assert (answer["status"], generator.requests) == ("failed", [])
    assert "interrupted" in answer["error"]["message"]


async def test_a_caller_without_tokens_waits(tmp_path: Path) -> None:
    generator, tokens = FakeGenerator("one"), TokenLimits(MemoryCounters())
    async with an_edge(tmp_path, generator, tokens=tokens) as (edge, _):
        asker = Caller("key", "acme", frozenset(["generate"]), key_limits=Limits(tokens_per_day=1))
        with acting(asker):
            await tokens.add(1)
        queue_for(edge, asker)
        await until(lambda: state_of(edge).leased_at is not None and state_of(edge).state == "queued")
        row = state_of(edge)
    assert (row.attempts, row.not_before - row.queued_at > 3600, generator.requests) == (0, True, [])


async def test_what_has_too_many_events_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_MAX_EVENT_BYTES", 1)
    generator = FakeGenerator("one two three", stalls_after=2)
    async with an_edge(tmp_path, generator) as (_, client):
        with pytest.raises(openai.APIError, match="MiB"):
            await all_of(await start(client, stream=True))
        await until(lambda: generator.running == 0)
