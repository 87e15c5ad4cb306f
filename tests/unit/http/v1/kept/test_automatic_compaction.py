"""`context_management` of `/v1/responses`: a conversation that is too long is compacted before it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rag.http.clients.remote_responses import RemoteResponses
from rag.library.answers.earlier_turns import TurnsQuery
from tests.fakes import FakeGenerator
from tests.support.servers.edge_service import MODEL, EdgeService
from tests.support.servers.loopback import client_of, until
from tests.support.v1.kept_catalog import SUMMARY_TEXT, a_keeping_edge
from tests.support.v1.long_talk import LONG, THRESHOLD, asked, compact, exchanges, user
from tests.support.v1.response_calls import ADD, create_response
from tests.support.v1.v1_client import error_of

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
"""The package's types know no messages of the user in an output, although they are documented."""


async def test_a_conversation_that_is_too_long_is_compacted_before_the_answer(edge: EdgeService, client: Any) -> None:
    items = [*exchanges(6), user("What did we say?")]
    made = await client.responses.create(model=MODEL, input=items, context_management=THRESHOLD)
    assert [item.type for item in made.output] == ["compaction", "message"]
    summary, _, *rest = asked(edge)
    assert SUMMARY_TEXT in summary
    assert rest == ["What did we say?"]
    assert made.usage.input_tokens > 300  # of the summary
    alone = await client.responses.create(model=MODEL, input=[*made.output, user("More?")])
    assert asked(edge)[2:] == ["What did we say?", "Grass [1].", "More?"]
    assert alone.usage.input_tokens < 100
    await client.responses.create(model=MODEL, input="More?", previous_response_id=made.id)
    assert asked(edge)[2:] == ["What did we say?", "Grass [1].", "More?"]


async def test_items_before_the_newest_compaction_are_not_read(edge: EdgeService, client: Any) -> None:
    """A client may send all that it has, or leave out what was compacted."""
    items = [*exchanges(6), user("What did we say?")]
    made = await client.responses.create(model=MODEL, input=items, context_management=THRESHOLD, store=False)
    await client.responses.create(model=MODEL, input=[*items, *made.output, user("More?")])
    assert asked(edge)[2:] == ["What did we say?", "Grass [1].", "More?"]
    refused = await create_response(edge, input=[*items, *made.to_dict()["output"], {"role": "user"}])
    assert error_of(refused) == (400, "invalid_request", f"input.{len(items) + 2}.content")


@pytest.mark.parametrize(
    "fields",
    [
        {"context_management": [{"type": "compaction", "compact_threshold": 1000}]},
        {"context_management": []},
        {"context_management": None},
        {},
    ],
)
async def test_a_conversation_below_the_threshold_stays(edge: EdgeService, client: Any, fields: Any) -> None:
    made = await client.responses.create(model=MODEL, input=[*exchanges(6), user("And now?")], **fields)
    assert [item.type for item in made.output] == ["message"]
    assert len(asked(edge)) == 13


async def test_without_a_threshold_three_quarters_of_the_context_are_the_limit(edge: EdgeService, client: Any) -> None:
    """The context of this model has 512 tokens."""
    wanted: Any = [{"type": "compaction", "compact_threshold": None}]
    for count, types in ((5, ["message"]), (7, ["compaction", "message"])):
        items = [*exchanges(count), user("And now?")]
        made = await client.responses.create(model=MODEL, input=items, context_management=wanted)
        assert [item.type for item in made.output] == types


async def test_a_single_long_message_is_not_compacted(edge: EdgeService, client: Any) -> None:
    made = await client.responses.create(model=MODEL, input=LONG * 10, context_management=THRESHOLD)
    assert [item.type for item in made.output] == ["message"]


ITEM_EVENTS = ["response.output_item.added", "response.output_item.done"]


async def test_the_item_comes_first_in_a_stream(client: Any) -> None:
    stream = await client.responses.create(
        model=MODEL, input=[*exchanges(6), user("And now?")], context_management=THRESHOLD, stream=True
    )
    events = [event async for event in stream]
    types = [event.type for event in events]
    assert types[:5] == ["response.created", "response.in_progress", *ITEM_EVENTS, "response.output_item.added"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[2].output_index, events[2].item) == (0, events[3].item)
    assert events[3].item.encrypted_content
    assert (events[4].output_index, events[4].item.type) == (1, "message")
    assert [item.type for item in events[-1].response.output] == ["compaction", "message"]


async def test_documents_are_searched_after_the_compaction(edge: EdgeService, client: Any) -> None:
    stream = await client.responses.create(
        model="rag", input=[*exchanges(6), user("Zebras?")], context_management=THRESHOLD, stream=True
    )
    events = [event async for event in stream]
    places = [(event.type, event.output_index) for event in events if event.type.startswith("response.output_item")]
    assert places == [(name, index) for index in range(3) for name in ITEM_EVENTS]
    searches = [event for event in events if event.type.startswith("response.file_search_call")]
    assert {event.output_index for event in searches} == {1}
    assert [item.type for item in events[-1].response.output] == ["compaction", "file_search_call", "message"]
    assert SUMMARY_TEXT in edge.retriever.prepared[-1]["history"][0]["content"]


async def test_tools_of_the_service_run_after_the_compaction(edge: EdgeService, client: Any) -> None:
    made = await client.responses.create(
        model=MODEL,
        input=[*exchanges(6), user("Zebras?")],
        context_management=THRESHOLD,
        tools=[{"type": "file_search", "vector_store_ids": ["animals"]}],
        extra_body={"rag": {"search": "model"}},
    )
    assert [item.type for item in made.output] == ["compaction", "message"]
    assert SUMMARY_TEXT in asked(edge)[0]


async def test_open_calls_stay_with_their_outputs(edge: EdgeService, client: Any) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
    items = [*exchanges(6), user("1+1?"), call, {"type": "function_call_output", "call_id": "c1", "output": "2"}]
    made = await client.responses.create(model=MODEL, input=items, context_management=THRESHOLD, tools=[ADD])
    assert [item.type for item in made.output] == ["compaction", "message"]
    assert asked(edge)[2:] == ["1+1?", "", "2"]
    first = await client.responses.create(model=MODEL, input=items[:-1])
    await client.responses.create(
        model=MODEL, input=items[-1:], previous_response_id=first.id, context_management=THRESHOLD, tools=[ADD]
    )
    assert asked(edge)[2] == "1+1?"
    assert asked(edge)[-1] == "2"


async def test_a_call_before_the_last_message_stays_with_its_output(edge: EdgeService, client: Any) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "2"}
    items = [*exchanges(6), user(f"1+1? {LONG * 5}"), call, user("Quick!"), output]
    await client.responses.create(model=MODEL, input=items, context_management=THRESHOLD, tools=[ADD])
    assert asked(edge)[1:] == ["Ok.", "Quick!", "2"]  # the call is part of the assistant's message before it
    assert edge.generator.requests[-1][0].messages[1]["tool_calls"][0]["id"] == "c1"


async def test_what_is_before_a_compaction_is_not_looked_up(edge: EdgeService, client: Any) -> None:
    first = await client.responses.create(model=MODEL, input="One")
    made = await client.responses.compact(model=MODEL, input="Two", previous_response_id=first.id)
    last = await client.responses.create(model=MODEL, input="Three", previous_response_id=made.id)
    async with client_of(edge.retriever.app, "Retriever") as retriever:
        found = await RemoteResponses(retriever).earlier_turns(TurnsQuery(last.id))
    assert [item["type"] for item in found.history] == ["message", "compaction", "message", "message"]
    assert [message.content[0].text for message in made.output[:-1]] == ["One", "Two"]
    assert asked(edge) == ["One", "Grass [1].", "Two", "Three"]


async def test_a_conversation_begins_at_its_newest_compaction(edge: EdgeService, client: Any) -> None:
    conversation = await client.conversations.create(items=exchanges(6))
    made = await client.responses.create(
        model=MODEL, input="What did we say?", conversation=conversation.id, context_management=THRESHOLD
    )
    assert [item.type for item in made.output] == ["compaction", "message"]
    await client.responses.create(model=MODEL, input="More?", conversation=conversation.id)
    assert asked(edge)[2:] == ["What did we say?", "Grass [1].", "More?"]
    listed = [item.type async for item in client.conversations.items.list(conversation.id)]
    assert listed.count("compaction") == 1


@pytest.fixture
async def mute(tmp_path: Path) -> AsyncIterator[EdgeService]:
    """The language model that would summarize does not answer."""
    async with a_keeping_edge(tmp_path, summarizer=FakeGenerator(dies_after=0)) as edge:
        yield edge


async def test_a_summary_that_fails_is_left_out(mute: EdgeService) -> None:
    items = [*exchanges(6), user("What did we say?")]
    made = (await create_response(mute, input=items, context_management=THRESHOLD)).json()
    assert made["status"] == "completed"
    assert "without a summary" in made["rag"]["note"]
    assert [text[:8] for text in asked(mute)] == ["question", "answer 4", "question", "answer 5", "What did"]
    compacted = (await compact(mute, input=items)).json()
    assert "without a summary" in compacted["rag"]["note"]
    assert compacted["usage"]["input_tokens"] > 300


async def test_what_is_wrong_is_refused_before_a_stream_begins(edge: EdgeService) -> None:
    items = [*exchanges(6), user("And now?")]
    for fields, param in (({"top_k": 0.5}, "top_k"), ({"style": "quoted"}, "style")):
        refused = await create_response(edge, input=items, context_management=THRESHOLD, stream=True, **fields)
        assert error_of(refused)[0::2] == (400, param)
    assert not edge.retriever.compaction.requests  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("entry", "param"),
    [
        ({"type": "truncation"}, "context_management.0.type"),
        ({"compact_threshold": 1000}, "context_management.0.type"),
        ({"type": "compaction", "compact_threshold": 0}, "context_management.0.compact_threshold"),
        ({"type": "compaction", "keep": 1}, "context_management.0.keep"),
    ],
)
async def test_invalid_entries_are_named(edge: EdgeService, entry: Any, param: str) -> None:
    assert error_of(await create_response(edge, context_management=[entry]))[0::2] == (400, param)


async def test_a_response_in_the_background_is_compacted_when_it_is_generated(edge: EdgeService, client: Any) -> None:
    made = await client.responses.create(
        model=MODEL, input=[*exchanges(6), user("And now?")], context_management=THRESHOLD, background=True, stream=True
    )
    events = [event async for event in made]
    assert [event.type for event in events][:4] == [
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
    ]
    kept = await client.responses.retrieve(events[-1].response.id)
    assert [item.type for item in kept.output] == ["compaction", "message"]
    assert len(edge.retriever.compaction.requests) == 1  # type: ignore[union-attr]
    again = await client.responses.create(
        model=MODEL, input=[user("Old"), *kept.output, user("More?")], background=True
    )
    items = await client.responses.input_items.list(again.id, order="asc")
    assert [item.type for item in items.data] == ["message", "compaction", "message", "message"]
    await until(lambda: len(edge.generator.requests) == 2)
    assert asked(edge)[2:] == ["And now?", "Grass [1].", "More?"]
