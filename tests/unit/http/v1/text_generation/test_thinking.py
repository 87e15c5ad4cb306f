"""Models that think: what they think travels apart from their text, on every route and in both forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from rag.types import Chat, Quotation, RenderedChat
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.v1.kept_catalog import a_keeping_edge
from tests.support.v1.response_calls import HITS, create_response, normalize, stream_events
from tests.support.v1.v1_client import error_of
from tests.unit.http.v1.text_generation.test_chat import chunks

CITED = "Grass [1], mostly [2]."
THOUGHT = "Is it [1]? I see "
SEEN = {"reasoning_content": THOUGHT, "reasoning": THOUGHT}
WORDS = len(THOUGHT.split())


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    generator = FakeGenerator(CITED, reasoning=THOUGHT)
    async with an_edge(generator, FakeRetriever(HITS), facts={"reasoning_parser": "qwen3"}) as edge:
        yield edge


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_chat_has_the_thinking_beside_its_text(edge: EdgeService, model: str) -> None:
    result = (await edge.chat(model=model)).json()
    assert ChatCompletion.model_validate(result, strict=True).to_dict() == result
    message = result["choices"][0]["message"]
    assert {name: message[name] for name in SEEN} == SEEN
    assert message["content"] == CITED
    assert result["usage"]["completion_tokens"] == WORDS + len(CITED.split())
    assert result["usage"]["completion_tokens_details"] == {"reasoning_tokens": WORDS}


async def test_what_is_thought_is_no_citation(edge: EdgeService) -> None:
    with_thinking = (await edge.chat(model="rag")).json()["choices"][0]["message"]
    without = (await edge.chat(model="rag", reasoning_effort="none")).json()["choices"][0]["message"]
    assert with_thinking["rag"] == without["rag"]
    assert with_thinking["annotations"] == without["annotations"]
    assert "reasoning" not in without


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_streamed_chat_thinks_first(edge: EdgeService, model: str) -> None:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(await edge.chat(model=model, stream=True))]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHT
    assert "".join(delta.get("reasoning", "") for delta in deltas) == THOUGHT
    assert "".join(delta.get("content") or "" for delta in deltas) == CITED
    kinds = ["reasoning" if "reasoning" in delta else "content" for delta in deltas[1:-1]]
    assert kinds == sorted(kinds, reverse=True)


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_response_has_a_reasoning_item(edge: EdgeService, model: str) -> None:
    result = (await create_response(edge, model=model)).json()
    assert Response.model_validate(result, strict=True).to_dict() == result
    reasoning, message = result["output"][-2:]
    assert reasoning["type"] == "reasoning"
    assert (reasoning["summary"], reasoning["status"]) == ([], "completed")
    assert reasoning["content"] == [{"type": "reasoning_text", "text": THOUGHT}]
    assert message["content"][0]["text"] == CITED
    assert result["usage"]["output_tokens_details"] == {"reasoning_tokens": WORDS}


async def test_a_streamed_response_has_the_events_of_its_reasoning(edge: EdgeService) -> None:
    plain = (await create_response(edge, model="rag")).json()
    events = [event.to_dict() for event in await stream_events(edge, model="rag")]
    assert normalize(events[-1]["response"]) == normalize(plain)
    about = [event for event in events if event.get("output_index") == 1]
    kinds = [event["type"].removeprefix("response.") for event in about]
    text = "reasoning_text.delta"
    assert kinds[:2] == ["output_item.added", "content_part.added"]
    assert kinds[2:-3] == [text] * WORDS
    assert kinds[-3:] == ["reasoning_text.done", "content_part.done", "output_item.done"]
    assert "".join(event["delta"] for event in about if event["type"].endswith(text)) == THOUGHT
    assert about[-3]["text"] == THOUGHT
    assert about[-1]["item"] == events[-1]["response"]["output"][1]


async def test_an_answer_that_was_all_thinking_is_cut(edge: EdgeService) -> None:
    choice = (await edge.chat(max_tokens=2)).json()["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("length", "")
    assert choice["message"]["reasoning"] == "Is it "
    response = (await create_response(edge, model=MODEL, max_output_tokens=2)).json()
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    [item] = response["output"]
    assert (item["type"], item["status"]) == ("reasoning", "incomplete")


@pytest.mark.parametrize("model", [MODEL, "rag"])
async def test_a_budget_ends_the_thinking(edge: EdgeService, model: str) -> None:
    result = (await edge.chat(model=model, thinking_token_budget=1)).json()
    assert result["choices"][0]["message"]["reasoning"] == "Is "
    assert result["choices"][0]["message"]["content"] == CITED
    assert result["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}


async def test_effort_and_variables_reach_the_template(edge: EdgeService) -> None:
    values = {"enable_thinking": False}
    await edge.chat(reasoning_effort="low", chat_template_kwargs=values)
    await edge.chat(model="rag", reasoning_effort="low", chat_template_kwargs=values)
    await create_response(edge, model="rag", reasoning={"effort": "low"}, chat_template_kwargs=values)
    prompts = [prompt for prompt, _, _ in edge.generator.requests]
    assert [type(prompt) for prompt in prompts] == [Chat, RenderedChat, RenderedChat]
    expected = {"reasoning_effort": "low", **values}
    assert [prompt.template_values for prompt in prompts] == [expected] * 3
    assert [prepared["template_values"] for prepared in edge.retriever.prepared] == [expected] * 2


async def test_a_response_shows_the_requested_effort(edge: EdgeService) -> None:
    response = (await create_response(edge, model=MODEL, reasoning={"effort": "high", "summary": "auto"})).json()
    assert response["reasoning"]["effort"] == "high"
    assert response["reasoning"]["summary"] is None
    refused = await create_response(edge, model=MODEL, reasoning={"summary": "long"})
    assert error_of(refused)[2] == "reasoning.summary"


async def test_effort_is_refused_if_the_model_does_not_think() -> None:
    async with an_edge(FakeGenerator(CITED), FakeRetriever(HITS), facts={"reasoning_parser": None}) as edge:
        chat = await edge.chat(reasoning_effort="high")
        response = await create_response(edge, model="rag", reasoning={"effort": "high"})
        assert (await edge.chat(reasoning_effort="none")).status_code == 200
    assert error_of(chat)[2] == "reasoning_effort"
    assert error_of(response)[2] == "reasoning.effort"


async def test_a_quoted_answer_does_not_think(edge: EdgeService) -> None:
    edge.retriever.quotation = Quotation((), {"choice": ["Grass [1]"]})
    message = (await edge.chat(model="rag", style="quoted")).json()["choices"][0]["message"]
    assert "reasoning" not in message
    assert edge.generator.requests[-1][0].thinks is False
    refused = await edge.chat(model="rag", style="quoted", reasoning_effort="high")
    assert error_of(refused)[2] == "reasoning_effort"


async def test_thinking_that_is_sent_back_is_for_the_template_only(edge: EdgeService) -> None:
    earlier = [
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "hm", "reasoning_details": [{"a": 1}]},
        {"role": "user", "content": "Second?"},
    ]
    await edge.chat(earlier)
    sent = {"role": "assistant", "content": "Yes.", "reasoning_content": "hm"}
    assert edge.generator.requests[-1][0].messages[1] == sent
    await edge.chat(earlier, model="rag")
    assert edge.retriever.prepared[-1]["history"][1] == {"role": "assistant", "content": "Yes."}
    wrong = await edge.chat([{"role": "user", "content": "x", "reasoning_content": "y"}])
    assert error_of(wrong)[2] == "messages.0.reasoning_content"


async def test_a_reasoning_item_that_is_sent_back_belongs_to_the_turn_after_it(edge: EdgeService) -> None:
    first = (await create_response(edge, model=MODEL, input="First?")).json()
    turns = [{"role": "user", "content": "First?"}, *first["output"], {"role": "user", "content": "Second?"}]
    foreign = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    assert (await create_response(edge, model=MODEL, input=[*turns[:1], foreign, *turns[1:]])).status_code == 200
    messages = edge.generator.requests[-1][0].messages
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1] == {"role": "assistant", "content": CITED, "reasoning_content": THOUGHT}
    assert (await create_response(edge, model="rag", input=turns)).status_code == 200
    assert THOUGHT not in str(edge.retriever.prepared[-1])


async def test_kept_responses_have_it_apart_from_their_text(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, FakeGenerator(CITED, reasoning=THOUGHT)) as edge:
        first = (await create_response(edge, model=MODEL)).json()
        async with edge.openai() as client:
            assert (await client.responses.retrieve(first["id"])).to_dict() == first
        more: dict[str, Any] = {"previous_response_id": first["id"]}
        assert (await create_response(edge, model="rag", **more)).status_code == 200
        assert THOUGHT not in str(edge.retriever.prepared[-1])
        assert (await create_response(edge, model=MODEL, **more)).status_code == 200
    assert edge.generator.requests[-1][0].messages[1]["content"] == CITED


async def test_kept_completions_have_it_apart_from_their_text(tmp_path: Path) -> None:
    turns = [{"role": "assistant", "content": "Yes.", "reasoning": "hm"}, {"role": "user", "content": "Why?"}]
    async with a_keeping_edge(tmp_path, FakeGenerator(CITED, reasoning=THOUGHT)) as edge:
        made = (await edge.chat(turns, store=True)).json()
        async with edge.openai() as client:
            kept = await client.chat.completions.retrieve(made["id"])
            messages = await client.chat.completions.messages.list(made["id"])
    assert kept.choices[0].message.content == CITED
    assert "hm" not in str([message.to_dict() for message in messages.data])
