"""`POST /v1/responses/compact`, through OpenAI's client."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from rag.http.v1.responses.compaction.body import CompactionOut
from tests.support.servers.edge_service import MODEL, EdgeService
from tests.support.v1.kept_catalog import SUMMARY_TEXT, a_keeping_edge
from tests.support.v1.long_talk import LONG, TALK, THRESHOLD, asked, compact, exchanges, user
from tests.support.v1.response_calls import create_response
from tests.support.v1.v1_client import error_of

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
"""The package's types know no messages of the user in an output, although they are documented."""


async def test_the_messages_of_the_user_stay_and_one_item_holds_the_conversation(edge: EdgeService) -> None:
    items = [*exchanges(6), user("Thanks!")]
    answer = await compact(edge, input=items, instructions="Be brief.", prompt_cache_key="x", service_tier="flex")
    made = answer.json()
    assert CompactionOut.model_validate(made, strict=True).object == "response.compaction"
    *messages, compaction = made["output"]
    assert [message["content"][0]["text"] for message in messages] == [item["content"] for item in items[::2]]
    assert {message["status"] for message in messages} == {"completed"}
    assert set(compaction) == {"id", "type", "encrypted_content"}
    usage = made["usage"]
    assert usage["input_tokens"] > 200
    assert usage["output_tokens"] > 5
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert "Be brief." in edge.retriever.compaction.requests[0].instructions  # type: ignore[union-attr]


async def test_a_short_conversation_is_only_counted(edge: EdgeService, client: Any) -> None:
    made = await client.responses.compact(model="rag", input="Hello there!")
    assert (made.usage.input_tokens, made.usage.output_tokens) == (2, 0)


async def test_a_compacted_conversation_is_continued(edge: EdgeService, client: Any) -> None:
    made = await client.responses.compact(model=MODEL, input=exchanges(6))
    answer = await client.responses.create(model=MODEL, input=[*made.output, user("And now?")])
    kept = await client.responses.input_items.list(answer.id, order="asc")
    assert [item.type for item in kept.data] == [*["message"] * 6, "compaction", "message"]
    summary, acknowledged, *rest = asked(edge)
    assert SUMMARY_TEXT in summary
    assert acknowledged == "Ok."
    assert [text[:10] for text in rest] == ["question 4", "answer 4 w", "question 5", "answer 5 w", "And now?"]
    await client.responses.create(model="rag", input=[*made.output, user("And zebras?")])
    prepared = edge.retriever.prepared[-1]
    assert prepared["question"] == "And zebras?"
    assert SUMMARY_TEXT in prepared["history"][0]["content"]


async def test_a_compacted_response_is_kept_and_continued_by_its_id(edge: EdgeService, client: Any) -> None:
    made = await client.responses.compact(model=MODEL, input=TALK)
    kept = await client.responses.retrieve(made.id)
    assert (kept.status, kept.output) == ("completed", [made.output[-1]])
    assert [item.type for item in (await client.responses.input_items.list(made.id)).data] == ["message", "message"]
    second = await client.responses.create(model=MODEL, input="Which?", previous_response_id=made.id)
    assert asked(edge) == [TALK[0]["content"], "Got it.", "Which?"]
    again = await client.responses.compact(model=MODEL, previous_response_id=second.id)
    *messages, _ = again.output
    assert [message.content[0].text for message in messages] == [TALK[0]["content"], "Which?"]
    await client.responses.create(model=MODEL, input="More?", previous_response_id=again.id)
    assert asked(edge) == [TALK[0]["content"], "Got it.", "Which?", "Grass [1].", "More?"]


async def test_a_service_that_keeps_nothing_compacts(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, may_store=False) as edge:
        made = (await compact(edge, input=TALK)).json()
        refused = await create_response(edge, previous_response_id=made["id"])
        assert error_of(refused) == (404, "not_found", "previous_response_id")


async def test_a_compacted_conversation_is_compacted_again(edge: EdgeService, client: Any) -> None:
    first = await client.responses.compact(model=MODEL, input=exchanges(6))
    second = await client.responses.compact(model=MODEL, input=[*first.output, *exchanges(4)])
    assert [item.type for item in second.output].count("compaction") == 1
    summarizer: Any = edge.retriever.compaction
    texts = [part["text"] for item in summarizer.requests[-1].items for part in item["content"]]
    assert SUMMARY_TEXT in texts[0]
    assert len(texts) == 2 + 4 + 8


async def test_tool_calls_and_passages_are_no_messages(edge: EdgeService) -> None:
    search = {"type": "file_search_call", "id": "fs_1", "queries": ["x"], "results": [{"text": "SECRET PASSAGE"}]}
    call = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}", "id": "fc_1"}
    items = [user("1+1?"), search, call, {"type": "function_call_output", "call_id": "c1", "output": "2"}, *TALK]
    made = (await compact(edge, input=items)).json()
    assert [item["type"] for item in made["output"]] == ["message", "message", "compaction"]
    seen = edge.retriever.compaction.requests[0].items  # type: ignore[union-attr]
    assert [item["type"] for item in seen] == ["message", "function_call", "function_call_output", "message", "message"]
    assert "SECRET" not in str(seen)


async def test_of_attached_files_only_the_names_remain(edge: EdgeService, client: Any) -> None:
    data = base64.b64encode(LONG.encode() * 9).decode()
    file = {"type": "input_file", "filename": "a.txt", "file_data": data}
    question = {"role": "user", "content": [{"type": "input_text", "text": "Read this: "}, file]}
    made = (await compact(edge, input=[question, *TALK])).json()
    assert made["output"][0]["content"][1]["file_data"] == data
    await client.responses.create(model=MODEL, input="And now?", previous_response_id=made["id"])
    assert asked(edge)[0] == "Read this: [a.txt]"
    items: Any = [question, *TALK, user("And now?")]
    answer = await client.responses.create(model=MODEL, input=items, context_management=THRESHOLD)
    assert [item.type for item in answer.output] == ["message"]  # nothing but the file is long


async def test_a_file_of_the_last_message_is_read(edge: EdgeService, client: Any) -> None:
    file = {"type": "input_file", "filename": "a.txt", "file_data": base64.b64encode(b"zebra file").decode()}
    items: Any = [*exchanges(6), {"role": "user", "content": [file]}]
    made = await client.responses.create(model=MODEL, input=items, context_management=THRESHOLD)
    assert [item.type for item in made.output] == ["compaction", "message"]
    assert "zebra file" in asked(edge)[-1]
    await client.responses.create(model=MODEL, input="More?", previous_response_id=made.id)
    assert "zebra file" in asked(edge)[2]


SEALED = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAABpM0Yj-...="}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": TALK, "model": None}, "model"),
        ({"input": TALK, "stream": True}, "stream"),
        ({"input": [*TALK, SEALED]}, "input.2.encrypted_content"),
        ({"input": [{"type": "compaction"}]}, "input.0.encrypted_content"),
        ({"input": [user("a"), {"type": "function_call_output", "call_id": "x", "output": "y"}]}, "input.1.call_id"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
    ],
)
async def test_what_cannot_be_compacted_is_named(edge: EdgeService, body: Any, param: str) -> None:
    assert error_of(await compact(edge, **body))[0::2] == (400, param)


async def test_unknown_ids_and_models_are_named(edge: EdgeService) -> None:
    refused = await compact(edge, previous_response_id="resp_0")
    assert error_of(refused) == (404, "not_found", "previous_response_id")
    assert error_of(await compact(edge, input=TALK, model="no/such"))[0::2] == (404, "model")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_foreign_item_is_refused_where_it_stands(edge: EdgeService, stream: bool) -> None:
    refused = await create_response(edge, input=[*TALK, SEALED, user("And now?")], stream=stream)
    assert error_of(refused) == (400, "invalid_request", "input.2.encrypted_content")


async def test_a_kept_item_that_cannot_be_opened_any_more_is_refused(edge: EdgeService, client: Any) -> None:
    made = await client.responses.compact(model=MODEL, input=TALK)
    edge.retriever.compaction.seal = type(edge.retriever.compaction.seal)(Path("/"), "y" * 32)  # type: ignore[union-attr]
    refused = await create_response(edge, previous_response_id=made.id)
    assert error_of(refused) == (400, "invalid_request", "previous_response_id")
