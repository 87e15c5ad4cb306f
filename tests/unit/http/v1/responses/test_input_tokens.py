"""`/v1/responses/input_tokens`, through OpenAI's client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from rag.catalog.answers import conversations as rows
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.v1.kept_catalog import a_keeping_edge
from tests.support.v1.response_calls import HITS
from tests.support.v1.v1_client import error_of


async def count(edge: EdgeService, **body: Any) -> httpx.Response:
    return await edge.post("/v1/responses/input_tokens", {"model": MODEL, "input": "one two", **body})


async def test_the_tokens_of_a_request_are_counted_with_its_earlier_turns(tmp_path: Path, monkeypatch: Any) -> None:
    """The fake tokenizer adds a token for each role, and one at the end."""
    async with a_keeping_edge(tmp_path, FakeGenerator("Yes.")) as edge, edge.openai() as client:
        counted = await client.responses.input_tokens.count(model=MODEL, input="one two", instructions="Be brief.")
        assert (counted.object, counted.input_tokens) == ("response.input_tokens", 3 + 3 + 1)
        conversation = await client.conversations.create()
        made = await client.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
        monkeypatch.setattr(rows, "MAX_ITEMS", 2)
        for earlier in ({"previous_response_id": made.id}, {"conversation": conversation.id}):
            assert (await count(edge, **earlier)).json()["input_tokens"] == 2 + 2 + 3 + 1
        assert len(edge.generator.requests) == 1
        unknown = await count(edge, conversation="conv_1")
        assert error_of(unknown) == (404, "not_found", "conversation")


async def test_the_passages_of_an_answer_from_documents_count() -> None:
    async with an_edge(retriever=FakeRetriever(HITS)) as edge:
        assert (await count(edge, model="rag", max_output_tokens=9)).json()["input_tokens"] == 7
        assert edge.retriever.prepared[-1]["max_tokens"] == 9
        edge.retriever.prompt_messages = [{"role": "user", "content": "a b c"}]
        assert (await count(edge, model="rag")).json()["input_tokens"] == 4 + 1
        edge.retriever.hits = ()
        assert (await count(edge, model="rag")).json()["input_tokens"] == 0
        assert edge.generator.requests == []


async def test_a_refusal_names_the_field() -> None:
    async with an_edge() as edge:
        for param, body in (
            ("input", {"input": ""}),
            ("truncation", {"truncation": "auto"}),
        ):
            assert error_of(await count(edge, **body)) == (400, "invalid_request", param)
        assert error_of(await count(edge, model="gpt-5"))[:2] == (404, "model_not_found")


async def test_variables_of_the_chat_template_count() -> None:
    async with an_edge() as edge:
        plain = (await count(edge, input="a b")).json()["input_tokens"]
        thinking = await count(edge, input="a b", chat_template_kwargs={"enable_thinking": True})
    assert thinking.json()["input_tokens"] == plain + 1
