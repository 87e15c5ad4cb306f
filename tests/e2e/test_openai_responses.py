"""Responses, embeddings and rerank of the real service, through OpenAI's client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai.types.responses import Response

from tests.e2e.citation_tokens import CITES_1
from tests.e2e.running import ENDLESS_TOKENS, LIMIT_S, RunningService

QUESTION = "Where does the axolotl live?"


@pytest.fixture
def client(filled: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{filled.url}/v1", api_key="x", max_retries=0, timeout=LIMIT_S) as client:
        yield client


def model_of(client: openai.OpenAI, kind: str) -> str:
    return next(model.id for model in client.models.list() if (model.model_extra or {})["kind"] == kind)


def content_of(response: Response) -> tuple[Any, ...]:
    return response.output_text, response.status, response.usage and response.usage.output_tokens


def test_a_streamed_response_equals_the_plain_one(client: openai.OpenAI) -> None:
    options: Any = {"input": QUESTION, "temperature": 0, "max_output_tokens": 40}
    search: Any = {"type": "file_search", "vector_store_ids": ["default"]}
    for body in ({"model": "rag"}, {"model": model_of(client, "language"), "tools": [search]}):
        plain = client.responses.create(**options, **body)
        *_, last = client.responses.create(**options, **body, stream=True)
        assert content_of(last.response) == content_of(plain)
        call, message = plain.output
        assert (call.type, call.queries) == ("file_search_call", [QUESTION])
        assert message.content[0].text == plain.output_text


def test_marks_become_annotations(client: openai.OpenAI) -> None:
    more = {"allowed_token_ids": CITES_1}
    made = client.responses.create(model="rag", input=QUESTION, temperature=0, max_output_tokens=20, extra_body=more)
    message: Any = made.output[1]
    assert len(message.content[0].annotations) >= 2
    for one in message.content[0].annotations:
        assert (one.type, one.filename) == ("file_citation", "animals/axolotl.md")
        assert made.output_text[one.index : one.end_index] == "[1]"


PARAMETERS = {"type": "object", "properties": {"lake": {"type": "string", "maxLength": 40}}, "required": ["lake"]}
TOOL: Any = {"type": "function", "name": "note", "description": "Notes a lake.", "parameters": PARAMETERS}


@pytest.mark.parametrize("kind", ["language", "rag"])
def test_a_forced_call(client: openai.OpenAI, kind: str) -> None:
    body: Any = {"model": model_of(client, kind), "input": QUESTION, "tools": [TOOL], "temperature": 0}
    body |= {"tool_choice": {"type": "function", "name": "note"}, "max_output_tokens": 80}
    plain = client.responses.create(**body)
    events = list(client.responses.create(**body, stream=True))
    calls: list[Any] = [plain.output[-1], events[-1].response.output[-1]]
    assert {(call.type, call.name, call.status) for call in calls} == {("function_call", "note", "completed")}
    assert list(json.loads(calls[0].arguments)) == ["lake"]
    assert calls[0].arguments == calls[1].arguments
    assert sum(event.type == "response.function_call_arguments.delta" for event in events) > 3


def test_a_call_is_continued_with_its_output(client: openai.OpenAI) -> None:
    body: Any = {"model": model_of(client, "language"), "tools": [TOOL], "max_output_tokens": 80}
    first = client.responses.create(**body, input=QUESTION, tool_choice="required", temperature=0)
    call: Any = first.output[0]
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "noted"}
    body |= {"tool_choice": "none", "max_output_tokens": 8}
    assert client.responses.create(**body, input=[output], previous_response_id=first.id).output_text


def test_a_long_conversation_is_compacted(client: openai.OpenAI) -> None:
    """The language model writes the summary, and the conversation goes on from it."""
    model, fact = (
        model_of(client, "language"),
        "The axolotl lives in Lake Xochimilco near Mexico City and can regrow its legs.",
    )
    turns: list[Any] = [{"role": role, "content": f"{fact} " * 4} for role in ("user", "assistant") * 4]
    wanted: Any = [{"type": "compaction", "compact_threshold": 400}]
    items = [*turns, {"role": "user", "content": "Where does it live?"}]
    made = client.responses.create(model=model, input=items, context_management=wanted, max_output_tokens=8)
    assert [item.type for item in made.output] == ["compaction", "message"]
    assert "rag" not in made.to_dict(), made.to_dict()["rag"]  # there is a note if there is no summary
    assert made.usage is not None
    assert made.usage.input_tokens > 400
    assert made.usage.output_tokens > 8
    more = client.responses.create(model=model, input="And?", previous_response_id=made.id, max_output_tokens=8)
    assert more.usage is not None
    assert more.usage.input_tokens < 400


def test_structured_output(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Mainz", "Rome"]}}, "required": ["city"]}
    form: Any = {"format": {"type": "json_schema", "name": "place", "schema": schema}}
    model = model_of(client, "language")
    made = client.responses.create(model=model, input="Where was Gutenberg?", text=form, max_output_tokens=40)
    assert made.output_text.replace(" ", "").replace("\n", "") in ('{"city":"Mainz"}', '{"city":"Rome"}')


def test_two_stores_are_searched_together(client: openai.OpenAI, filled: RunningService) -> None:
    store = client.vector_stores.create(name="more animals")
    try:
        text = b"# Olm\n\nThe olm is a blind salamander that lives in caves of Slovenia."
        filled.ingest({"olm.md": text}, vector_store="more animals")
        made = client.responses.create(
            model=model_of(client, "language"),
            input="Which salamander lives in caves, which one in a lake?",
            tools=[{"type": "file_search", "vector_store_ids": ["default", store.id], "max_num_results": 2}],
            include=["file_search_call.results"],
            max_output_tokens=2,
        )
        results: Any = made.output[0]
        assert {result.filename for result in results.results} == {"olm.md", "animals/axolotl.md"}
        scores = [result.score for result in results.results]
        assert scores == sorted(scores, reverse=True)
    finally:
        client.vector_stores.delete(store.id)


def test_a_disconnect_stops_the_engine(client: openai.OpenAI, filled: RunningService) -> None:
    body: Any = {"input": "Tell a long story.", "max_output_tokens": ENDLESS_TOKENS, "extra_body": {"ignore_eos": True}}
    with client.responses.create(model=model_of(client, "language"), stream=True, **body) as stream:
        assert next(event for event in stream if event.type == "response.output_text.delta")
    filled.wait_until_idle()


def test_embeddings_equal_those_used_for_search(client: openai.OpenAI) -> None:
    model = model_of(client, "embedding")
    texts = ["The axolotl is a salamander.", "Movable metal type", "Which animal keeps its gills?"]
    vectors = np.array([one.embedding for one in client.embeddings.create(model=model, input=texts).data])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    salamander, metal, question = vectors
    assert question @ salamander > question @ metal
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model=model, input=["a", "word " * 10_000], extra_body={"truncate": False})
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input.1")


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v2/rerank"])
def test_documents_are_reranked(filled: RunningService, path: str) -> None:
    documents = ["Paper came from China.", "The axolotl keeps its gills.", "Spring tides follow the moon."]
    body = {"query": "Which animal keeps its gills?", "documents": documents, "top_n": 2}
    answer = httpx.post(filled.url + path, json=body, timeout=LIMIT_S).json()
    best, *others = answer["results"]
    assert (best["index"], len(others)) == (1, 1)
