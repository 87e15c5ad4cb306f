"""Chat completions of a plain model, over real HTTP with a fake engine: plain and streamed, through OpenAI's client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from rag.types import Chat
from tests.fakes import FakeGenerator
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.servers.loopback import until
from tests.support.v1.v1_client import error_of

HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator("naïve 日本 🙂 done")) as service:
        yield service


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a complete stream."""
    *lines, done = [line for line in response.text.split("\n") if line.startswith("data: ")]
    assert done == "data: [DONE]"
    assert response.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def sampling_of(edge: EdgeService) -> Mapping[str, Any]:
    return edge.generator.requests[-1][1]


async def test_a_plain_completion_matches_openais_types(edge: EdgeService) -> None:
    result = (await edge.chat()).json()
    completion = ChatCompletion.model_validate(result, strict=True)
    assert completion.to_dict() == result
    assert completion.id.startswith("chatcmpl-")
    assert (completion.model, completion.choices[0].finish_reason) == (MODEL, "stop")
    assert result["choices"][0]["message"] == {"role": "assistant", "content": "naïve 日本 🙂 done", "refusal": None}
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens, completion.usage.total_tokens) == (
        2,
        4,
        6,
    )
    assert set(result) == {"id", "object", "created", "model", "choices", "usage"}


async def test_a_stream_agrees_with_the_plain_response(edge: EdgeService) -> None:
    streamed = chunks(await edge.chat(stream=True, stream_options={"include_usage": True}))
    plain = (await edge.chat()).json()
    assert [ChatCompletionChunk.model_validate(chunk, strict=True).to_dict() for chunk in streamed] == streamed
    assert (
        "".join(c["delta"].get("content", "") for chunk in streamed for c in chunk["choices"])
        == (plain["choices"][0]["message"]["content"])
    )
    first, *between, last, usage = streamed
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all("role" not in chunk["choices"][0]["delta"] for chunk in between)
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in (first, *between)] == [None] * (len(streamed) - 2)
    assert (usage["choices"], usage["usage"]) == ([], plain["usage"])
    assert all(chunk["usage"] is None for chunk in streamed[:-1])
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in streamed}) == 1


async def test_usage_is_streamed_only_on_request_and_bytes_are_ascii(edge: EdgeService) -> None:
    response = await edge.chat(stream=True)
    assert not any("usage" in chunk for chunk in chunks(response))
    assert response.content.isascii()
    assert response.headers["cache-control"] == "no-store"


async def test_the_conversation_reaches_the_model(edge: EdgeService) -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [called], "refusal": None, "annotations": [], "rag": {}},
        {"role": "tool", "content": "7", "tool_call_id": "c1"},
    ]
    response = await edge.chat(messages, chat_template_kwargs={"enable_thinking": False})
    assert response.status_code == 200
    prompt = edge.generator.requests[-1][0]
    assert prompt == Chat(
        (
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "ab", "name": "Ann"},
            {"role": "assistant", "content": "", "tool_calls": [called]},
            {"role": "tool", "content": "7", "tool_call_id": "c1"},
        ),
        template_values={"enable_thinking": False},
    )


async def test_parameters_reach_the_engine_under_vllms_names(edge: EdgeService) -> None:
    sampling: dict[str, Any] = {
        "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["x", "y"], "presence_penalty": 0.1,
        "frequency_penalty": -0.2, "logit_bias": {"5": -100}, "top_k": 3, "min_p": 0.1, "repetition_penalty": 1.1,
        "min_tokens": 1, "stop_token_ids": [2], "bad_words": ["zz"], "ignore_eos": True, "allowed_token_ids": [1, 2],
        "include_stop_str_in_output": True, "skip_special_tokens": False,
    }  # fmt: skip
    ignored: dict[str, Any] = {
        "user": "me",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "flex",
        "prompt_cache_retention": "in_memory",
        "safety_identifier": "s",
    }
    assert (await edge.chat(**sampling, **ignored, max_completion_tokens=9)).status_code == 200
    assert sampling_of(edge) == {**sampling, "max_tokens": 9}


async def test_unset_parameters_are_left_to_the_service(edge: EdgeService) -> None:
    unset = ("temperature", "stop", "stream", "n", "seed", "tools", "response_format", "logprobs", "user", "suffix")
    nulls: dict[str, Any] = dict.fromkeys(unset)
    response = await edge.chat(**nulls, functions=None)
    assert response.status_code == 200, response.text
    assert response.json()["object"] == "chat.completion"
    assert sampling_of(edge) == {}


@pytest.mark.parametrize(
    "neutral",
    [
        {"best_of": 1}, {"use_beam_search": False}, {"suffix": ""}, {"reasoning_effort": "none"}, {"stop": ""},
        {"verbosity": "medium"}, {"tools": []}, {"tools": [], "tool_choice": "auto"}, {"functions": []},
        {"function_call": "none"}, {"prompt_cache_retention": "24h"}, {"length_penalty": 1},
    ],
    ids=str,
)  # fmt: skip
async def test_values_that_ask_for_nothing_are_accepted(edge: EdgeService, neutral: dict[str, Any]) -> None:
    response = await edge.chat(**neutral)
    assert response.status_code == 200, response.text
    assert sampling_of(edge) == {}


async def test_an_assistants_message_can_be_sent_back_with_unknown_fields(edge: EdgeService) -> None:
    added: Any = {
        "parsed": None, "provider_specific_fields": {"a": 1}, "reasoning_content": "hm", "rag": {"sources": []},
        "annotations": [], "refusal": None, "audio": None, "function_call": None,
    }  # fmt: skip
    part = {"type": "text", "text": "yes", "cache_control": {"type": "ephemeral"}}
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}},
        "extra": 1,
    }
    messages = [
        {"role": "user", "content": [part]},
        {"role": "assistant", "content": [part], **added},
        {"role": "assistant", "content": None, "tool_calls": [call], **added},
        {"role": "tool", "tool_call_id": "c", "content": [part]},
    ]
    response = await edge.chat(messages=messages)
    assert response.status_code == 200, response.text
    prompt = edge.generator.requests[-1][0]
    assert isinstance(prompt, Chat)
    assert [message["content"] for message in prompt.messages] == ["yes", "yes", "", "yes"]
    assert prompt.messages[2]["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


async def test_n_choices(edge: EdgeService) -> None:
    plain = (await edge.chat(n=3)).json()
    assert [choice["index"] for choice in plain["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in plain["choices"]} == {"naïve 日本 🙂 done"}
    assert sampling_of(edge) == {"n": 3, "temperature": 1.0}
    streamed = chunks(await edge.chat(n=3, temperature=0.5, stream=True))
    assert sampling_of(edge)["temperature"] == 0.5
    for index in range(3):
        choices = [chunk["choices"][0] for chunk in streamed if chunk["choices"][0]["index"] == index]
        assert choices[0]["delta"]["role"] == "assistant"
        assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
        assert choices[-1]["finish_reason"] == "stop"
        assert "".join(choice["delta"].get("content", "") for choice in choices) == "naïve 日本 🙂 done"


@pytest.mark.parametrize("stop", ["日本", ["x", "日本"]])
async def test_finish_reasons(edge: EdgeService, stop: Any) -> None:
    choice = (await edge.chat(stop=stop)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"], choice["stop_reason"]) == ("naïve ", "stop", "日本")
    assert chunks(await edge.chat(stop=stop, stream=True))[-1]["choices"][0]["stop_reason"] == "日本"
    short = (await edge.chat(max_tokens=2)).json()["choices"][0]
    assert (short["finish_reason"], "stop_reason" in short) == ("length", False)


async def test_logprobs_plain_and_streamed(edge: EdgeService) -> None:
    plain = (await edge.chat(logprobs=True, top_logprobs=2)).json()["choices"][0]["logprobs"]
    first = plain["content"][0]
    assert (first["token"], first["logprob"], bytes(first["bytes"]).decode()) == ("naïve ", -0.25, "naïve ")
    assert [(top["token"], top["logprob"]) for top in first["top_logprobs"]] == [("naïve ", -0.25), ("other", -2.5)]
    streamed = chunks(await edge.chat(logprobs=True, top_logprobs=2, stream=True))
    logprobs = [chunk["choices"][0]["logprobs"] for chunk in streamed]
    assert [one for part in logprobs if part for one in part["content"]] == plain["content"]
    without_top = (await edge.chat(logprobs=True)).json()["choices"][0]["logprobs"]["content"]
    assert [one["top_logprobs"] for one in without_top] == [[]] * 4
    assert sampling_of(edge) == {"logprobs": 0}
    assert (await edge.chat()).json()["choices"][0]["logprobs"] is None


async def test_logprobs_of_the_prompt(edge: EdgeService) -> None:
    prompt_logprobs = (await edge.chat(prompt_logprobs=1)).json()["prompt_logprobs"]
    assert prompt_logprobs == [None, {"1": {"logprob": -0.5, "rank": 1, "decoded_token": "word"}}]


async def test_response_formats_reach_the_engine(edge: EdgeService) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    json_schema = {"name": "thing", "schema": schema, "strict": True, "description": "d"}
    for options, form in (
        ({"response_format": {"type": "json_schema", "json_schema": json_schema}}, {"json": schema}),
        ({"response_format": {"type": "json_object"}}, {"json_object": True}),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, {"choice": ["yes", "no"]}),
        ({"response_format": {"type": "text"}}, None),
    ):
        assert (await edge.chat(**options)).status_code == 200
        assert sampling_of(edge).get("structured_outputs") == form


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages.0.content"),
    ({"stop": "\ud800"}, "stop"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "robot", "content": "a"}]}, "messages.0.role"),
    ({"messages": [{"role": "function", "name": "f", "content": "a"}]}, "messages.0.role"),
    ({"messages": [*HELLO, {"role": "user", "content": 3}]}, "messages.1.content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages.0.content.0",
    ),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.tool_call_id"),
    ({"messages": [{"role": "user", "content": "a", "tool_call_id": "x"}]}, "messages.0.tool_call_id"),
    ({"messages": [{"role": "user", "content": "a", "colour": 1}]}, "messages.0.colour"),
    ({"messages": [{"role": "assistant", "content": None}]}, "messages.0.content"),
    ({"model": None}, "model"),
    ({"unheard_of": 1}, "unheard_of"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"function_call": "auto"}, "function_call"),
    ({"best_of": 2}, "best_of"),
    ({"guided_json": {}}, "guided_json"),
    ({"audio": {"voice": "x"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"store": "yes"}, "store"),
    ({"service_tier": "gold"}, "service_tier"),
    ({"continue_final_message": True}, "continue_final_message"),
    ({"add_generation_prompt": False}, "add_generation_prompt"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "1"}, "temperature"),
    ({"n": 0}, "n"),
    ({"n": 129}, "n"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"stop": ["a"] * 17}, "stop"),
    ({"logit_bias": {"1": 101}}, "logit_bias.1"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"continuous_usage_stats": True}}, "stream_options.continuous_usage_stats"),
    ({"stream": True, "prompt_logprobs": 1}, "prompt_logprobs"),
    ({"response_format": {"type": "yaml"}}, "response_format"),
    ({"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}}, "response_format"),
    ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs"),
    ({"rag": {"top_k": 3}}, "rag"),
]


async def test_a_refusal_names_the_invalid_field(edge: EdgeService) -> None:
    for body, param in INVALID:
        response = await edge.post("/v1/chat/completions", {"model": MODEL, "messages": HELLO, **body})
        assert (body, *error_of(response)) == (body, 400, "invalid_request", param)
    assert edge.generator.requests == []


async def test_an_unknown_model_is_not_found(edge: EdgeService) -> None:
    assert error_of(await edge.chat(model="gpt-4o")) == (404, "model_not_found", "model")
    assert error_of(await edge.chat(model="the-encoder")) == (400, "invalid_request", "model")


async def test_an_adapter_is_chosen_by_its_name(edge: EdgeService) -> None:
    assert (await edge.chat(model="sql")).json()["model"] == "sql"
    assert (await edge.chat()).json()["model"] == MODEL
    assert edge.generator.models == ["sql", ""]


async def test_an_error_of_the_engine_keeps_its_status() -> None:
    async with an_edge(FakeGenerator(context_tokens=10)) as edge:
        for stream in (False, True):
            response = await edge.chat(max_tokens=11, stream=stream)
            assert error_of(response) == (400, "context_length_exceeded", "max_tokens")


async def test_an_engine_failure_in_mid_stream_is_reported() -> None:
    async with an_edge(FakeGenerator("one two three", dies_after=2)) as edge, edge.openai() as client:
        lines = [line for line in (await edge.chat(stream=True)).text.splitlines() if line]
        assert set(json.loads(lines[-1].removeprefix("data: "))["error"]) == {
            "message", "type", "param", "code", "retryable", "request_id"
        }  # fmt: skip
        assert not any("[DONE]" in line or '"stop"' in line for line in lines)
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        texts = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
        with pytest.raises(openai.APIError, match="the engine died") as caught:
            await anext(stream)
        assert (texts, caught.value.code) == (["", "one ", "two "], "dependency_unavailable")
        assert error_of(await edge.chat())[:2] == (503, "dependency_unavailable")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("generator", [{"start": True}, {"stalls_after": 1}], ids=["before the first token", "later"])
async def test_a_client_that_disconnects_stops_the_engine(stream: bool, generator: dict[str, Any]) -> None:
    pausing: Any = {"start": asyncio.Event()} if "start" in generator else generator
    async with an_edge(FakeGenerator("one two three", **pausing)) as edge:
        request_task = asyncio.create_task(edge.chat(stream=stream))
        await until(lambda: edge.generator.running == 1)
        request_task.cancel()
        await until(lambda: edge.generator.running == 0)
        assert edge.generator.cancelled == 1


async def test_a_client_that_disconnects_before_the_engine_accepts() -> None:
    async with an_edge(FakeGenerator(accepts=asyncio.Event())) as edge:
        request_task = asyncio.create_task(edge.chat())
        await asyncio.sleep(0.1)
        request_task.cancel()
        await asyncio.sleep(0.05)
        assert (edge.generator.running, edge.generator.requests) == (0, [])


async def test_a_response_past_its_deadline_is_reported() -> None:
    async with an_edge(FakeGenerator("one two", stalls_after=1), answer_timeout_s=1.0) as edge:
        assert error_of(await edge.chat())[:2] == (504, "timeout")
        assert '"code":"timeout"' in (await edge.chat(stream=True)).text
        await until(lambda: edge.generator.running == 0)


async def test_a_silent_stream_sends_keep_alive_comments() -> None:
    start = asyncio.Event()
    async with an_edge(FakeGenerator("one", start=start), keep_alive_s=0.05) as edge, edge.openai() as client:
        asyncio.get_running_loop().call_later(0.3, start.set)
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        assert [chunk.choices[0].delta.content async for chunk in stream] == ["", "one", None]


class Answer(BaseModel):
    a: int


async def test_the_helpers_of_openais_client_work() -> None:
    async with an_edge(FakeGenerator('{"a": 3}')) as edge, edge.openai() as client:
        raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
        assert raw.headers["x-request-id"]
        assert raw.parse().choices[0].message.content == '{"a": 3}'
        parsed = await client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Answer)
        assert parsed.choices[0].message.parsed == Answer(a=3)
        async with client.chat.completions.stream(model=MODEL, messages=HELLO, response_format=Answer) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.parsed == Answer(a=3)
        assert sampling_of(edge)["structured_outputs"]["json"]["required"] == ["a"]
