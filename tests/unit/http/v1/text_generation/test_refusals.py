"""Nothing was found, and the request prescribes the form of the answer: the answer is a refusal, as at OpenAI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from rag.generate.pipeline import NOT_FOUND
from tests.support.servers.edge_service import EdgeService, an_edge

SCHEMA: Any = {"type": "object", "properties": {"day": {"type": "integer"}}}
ASK: Any = [{"role": "user", "content": "When was it?"}]


class Day(BaseModel):
    day: int


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge() as service:  # whose retriever finds nothing
        yield service


@pytest.fixture
async def client(edge: EdgeService) -> AsyncIterator[Any]:
    async with AsyncOpenAI(base_url=f"{edge.url}/v1", api_key="none", max_retries=0) as client:
        yield client


async def test_parsing_a_chat_completion(client: Any) -> None:
    message = (await client.chat.completions.parse(model="rag", messages=ASK, response_format=Day)).choices[0].message
    assert (message.parsed, message.content, message.refusal) == (None, None, NOT_FOUND)


async def test_parsing_a_streamed_chat_completion(client: Any) -> None:
    refused: list[str] = []
    async with client.chat.completions.stream(model="rag", messages=ASK, response_format=Day) as stream:
        async for event in stream:
            assert event.type != "content.delta"
            if event.type == "refusal.delta":
                refused.append(event.delta)
        completion = await stream.get_final_completion()
    choice = completion.choices[0]
    assert (choice.message.content, choice.message.refusal, choice.finish_reason) == (None, NOT_FOUND, "stop")
    assert "".join(refused) == NOT_FOUND


async def test_parsing_a_response(client: Any) -> None:
    response = await client.responses.parse(model="rag", input="When was it?", text_format=Day)
    assert response.output_parsed is None
    assert response.output_text == ""
    search, message = response.output
    assert (search.type, message.type) == ("file_search_call", "message")
    assert message.content[0].to_dict() == {"type": "refusal", "refusal": NOT_FOUND}


async def test_parsing_a_streamed_response(client: Any) -> None:
    names: list[str] = []
    async with client.responses.stream(model="rag", input="When was it?", text_format=Day) as stream:
        async for event in stream:
            names.append(event.type)
        response = await stream.get_final_response()
    assert response.output[-1].content[0].to_dict() == {"type": "refusal", "refusal": NOT_FOUND}
    start = names.index("response.content_part.added")
    assert names[start:] == [
        "response.content_part.added", "response.refusal.delta", "response.refusal.done", "response.content_part.done",
        "response.output_item.done", "response.completed",
    ]  # fmt: skip


async def test_a_refusal_can_be_sent_back(client: Any, edge: EdgeService) -> None:
    refused: Response = await client.responses.create(
        model="rag", input="When was it?", text={"format": {"type": "json_schema", "name": "day", "schema": SCHEMA}}
    )
    sent_back: Any = [*ASK, *(item.to_dict() for item in refused.output), {"role": "user", "content": "And why?"}]
    await client.responses.create(model="rag", input=sent_back)
    history = edge.retriever.prepared[-1]["history"]
    assert [(turn["role"], turn["content"]) for turn in history][-1] == ("assistant", NOT_FOUND)


async def test_without_a_form_it_is_a_text(client: Any) -> None:
    message = (await client.chat.completions.create(model="rag", messages=ASK)).choices[0].message
    assert (message.content, message.refusal) == (NOT_FOUND, None)
    assert (await client.responses.create(model="rag", input="When was it?")).output_text == NOT_FOUND
