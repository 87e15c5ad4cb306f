"""Completions of prompts, over real HTTP with a fake engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import openai
import pytest
from openai.types import Completion

from rag.errors import InvalidRequest
from tests.fakes import FakeGenerator
from tests.support.servers.edge_service import MODEL, EdgeService, an_edge
from tests.support.servers.loopback import until
from tests.support.v1.v1_client import error_of
from tests.unit.http.v1.text_generation.test_chat import chunks


def echoes(prompt: Any, sampling: Mapping[str, Any]) -> str:
    if prompt == "refuse this":
        raise InvalidRequest("prompt: it is refused", param="prompt")
    return f"of {prompt if isinstance(prompt, str) else '-'.join(map(str, prompt))} done"


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator(echoes)) as service:
        yield service


async def post(edge: EdgeService, prompt: Any = "naïve 日本", **body: Any) -> httpx.Response:
    return await edge.post("/v1/completions", {"model": MODEL, "prompt": prompt, **body})


async def test_a_plain_completion_matches_openais_types(edge: EdgeService) -> None:
    result = (await post(edge)).json()
    completion = Completion.model_validate(result, strict=True)
    assert completion.to_dict() == result
    assert result["choices"] == [{"index": 0, "text": "of naïve 日本 done", "logprobs": None, "finish_reason": "stop"}]
    assert result["usage"] == {
        "prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6, "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    assert (result["object"], result["id"][:5]) == ("text_completion", "cmpl-")
    assert edge.generator.requests[-1][1] == {"max_tokens": 16}  # OpenAI's default


async def test_a_stream_agrees_with_the_plain_response(edge: EdgeService) -> None:
    plain = (await post(edge)).json()
    response = await post(edge, stream=True, stream_options={"include_usage": True})
    assert response.content.isascii()
    *between, last, usage = chunks(response)
    assert "".join(chunk["choices"][0]["text"] for chunk in between) == plain["choices"][0]["text"]
    assert {chunk["choices"][0]["finish_reason"] for chunk in between} == {None}
    assert last["choices"] == [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]
    assert (usage["choices"], usage["usage"]) == ([], plain["usage"])


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a b", ["of a b done"]),
        (["a", "b"], ["of a done", "of b done"]),
        ([1, 2], ["of 1-2 done"]),
        ([[1, 2], [3]], ["of 1-2 done", "of 3 done"]),
    ],
    ids=["text", "texts", "tokens", "lists of tokens"],
)
@pytest.mark.parametrize("n", [1, 2])
async def test_every_form_of_prompt_is_accepted(edge: EdgeService, prompt: Any, texts: list[str], n: int) -> None:
    expected = [text for text in texts for _ in range(n)]
    result = (await post(edge, prompt, n=n)).json()
    assert [(choice["index"], choice["text"]) for choice in result["choices"]] == list(enumerate(expected))
    streamed = [chunk["choices"][0] for chunk in chunks(await post(edge, prompt, n=n, stream=True))]
    for index, text in enumerate(expected):
        choices = [choice for choice in streamed if choice["index"] == index]
        assert "".join(choice["text"] for choice in choices) == text
        assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert len({request_id for _, _, request_id in edge.generator.requests}) == 2 * len(texts)


async def test_usage_is_the_sum_over_all_prompts(edge: EdgeService) -> None:
    usage = (await post(edge, ["a", "b c"], n=2)).json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 2 * 3 + 2 * 4)


async def test_logprobs_have_the_legacy_format(edge: EdgeService) -> None:
    logprobs = (await post(edge, "a b", logprobs=1)).json()["choices"][0]["logprobs"]
    assert logprobs == {
        "tokens": ["of ", "a ", "b ", "done"],
        "token_logprobs": [-0.25] * 4,
        "top_logprobs": [{"of ": -0.25}, {"a ": -0.25}, {"b ": -0.25}, {"done": -0.25}],
        "text_offset": [0, 3, 5, 7],
    }
    streamed_logprobs = [
        chunk["choices"][0]["logprobs"] for chunk in chunks(await post(edge, "a b", logprobs=1, stream=True))
    ]
    for name, values in logprobs.items():
        assert [value for part in streamed_logprobs if part for value in part[name]] == values


async def test_echo_returns_the_prompt(edge: EdgeService) -> None:
    result = (await post(edge, ["word word", "a"], echo=True)).json()
    assert [choice["text"] for choice in result["choices"]] == ["word wordof word word done", "aof a done"]
    streamed = [chunk["choices"][0] for chunk in chunks(await post(edge, "word word", echo=True, stream=True))]
    assert "".join(choice["text"] for choice in streamed) == "word wordof word word done"


async def test_echo_with_logprobs_returns_the_prompts_logprobs(edge: EdgeService) -> None:
    choice = (await post(edge, "first word", echo=True, logprobs=1)).json()["choices"][0]
    logprobs = choice["logprobs"]
    assert logprobs["tokens"] == ["first ", "word", "of ", "first ", "word ", "done"]
    assert (logprobs["token_logprobs"][:2], logprobs["top_logprobs"][:2]) == ([None, -0.5], [None, {"word": -0.5}])
    assert [
        choice["text"][at : at + len(token)]
        for at, token in zip(logprobs["text_offset"], logprobs["tokens"], strict=True)
    ]
    assert logprobs["text_offset"][2] == len("first word")
    assert "prompt_logprobs" not in choice
    with_prompt_logprobs = (await post(edge, "first word", prompt_logprobs=1)).json()["choices"][0]
    assert with_prompt_logprobs["prompt_logprobs"] == [
        None,
        {"1": {"logprob": -0.5, "rank": 1, "decoded_token": "word"}},
    ]
    echo_only = (await post(edge, "first word", echo=True, logprobs=1, max_tokens=0)).json()
    assert echo_only["choices"][0]["text"] == "first word"
    assert echo_only["choices"][0]["logprobs"]["tokens"] == ["first ", "word"]
    assert (echo_only["usage"]["completion_tokens"], echo_only["choices"][0]["finish_reason"]) == (0, "length")


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": "\ud800"}, "prompt"),
    ({"prompt": ["a", "\ud800"]}, "prompt.1"),
    ({"prompt": None}, "prompt"),
    ({"prompt": ["a", ""]}, "prompt"),
    ({"prompt": ["a", 1]}, "prompt"),
    ({"prompt": [[1], []]}, "prompt"),
    ({"prompt": [-1]}, "prompt"),
    ({"prompt": [True]}, "prompt"),
    ({"prompt": ["a"] * 129}, "prompt"),
    ({"prompt": ["a"] * 100, "n": 6}, "n"),
    ({"suffix": "x", "prompt": [1, 2]}, "suffix"),
    ({"suffix": 1}, "suffix"),
    ({"suffix": "x", "echo": True, "logprobs": 1}, "echo"),
    ({"suffix": "", "prompt": ""}, "prompt"),
    ({"best_of": 2}, "best_of"),
    ({"logprobs": 21}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"echo": True, "prompt": [1, 2]}, "echo"),
    ({"echo": True, "logprobs": 1, "stream": True}, "logprobs"),
    ({"messages": []}, "messages"),
    ({"model": "rag"}, "model"),
    ({"model": "rag:sql"}, "model"),
]


async def test_a_refusal_names_the_invalid_field(edge: EdgeService) -> None:
    for body, param in INVALID:
        response = await edge.post("/v1/completions", {"model": MODEL, "prompt": "a", **body})
        assert (body, *error_of(response)) == (body, 400, "invalid_request", param)
    assert edge.generator.requests == []


async def test_text_is_inserted_before_a_suffix() -> None:
    def inserts(prompt: Any, sampling: Mapping[str, Any]) -> str:
        return f"between {prompt.prefix} and {prompt.suffix}"

    async with an_edge(FakeGenerator(inserts)) as edge:
        for prompt in ("def f():", ["def f():", ""]):
            answer = (await post(edge, prompt, suffix="return x")).json()
            texts = [prompt] if isinstance(prompt, str) else prompt
            assert [choice["text"] for choice in answer["choices"]] == [
                f"between {text} and return x" for text in texts
            ]
        with_echo = (await post(edge, "def f():", suffix="return x", echo=True)).json()
        assert with_echo["choices"][0]["text"].startswith("def f():between")


async def test_a_model_that_cannot_insert_refuses_the_suffix() -> None:
    def refuses(prompt: Any, sampling: Mapping[str, Any]) -> str:
        raise InvalidRequest("suffix: is not supported", param="suffix")

    async with an_edge(FakeGenerator(refuses)) as edge:
        for stream in (False, True):
            response = await post(edge, "def f():", suffix="return x", stream=stream)
            assert error_of(response) == (400, "invalid_request", "suffix")


async def test_one_refused_prompt_stops_the_others() -> None:
    async with an_edge(FakeGenerator(echoes, start=asyncio.Event())) as edge:
        for stream in (False, True):
            response = await post(edge, ["a", "refuse this", "b"], stream=stream)
            assert error_of(response) == (400, "invalid_request", "prompt")
            await until(lambda: edge.generator.running == 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("after_first_token", [True, False])
async def test_a_client_that_disconnects_stops_all_prompts(stream: bool, after_first_token: bool) -> None:
    generator = (
        FakeGenerator(echoes, stalls_after=1) if after_first_token else FakeGenerator(echoes, start=asyncio.Event())
    )
    async with an_edge(generator) as edge:
        request_task = asyncio.create_task(post(edge, ["a", "b", "c"], stream=stream))
        await until(lambda: generator.running == 3)
        request_task.cancel()
        await until(lambda: generator.running == 0)
        assert generator.cancelled == 3


async def test_an_engine_failure_in_mid_stream_is_reported() -> None:
    async with an_edge(FakeGenerator(echoes, dies_after=1)) as edge, edge.openai() as client:
        stream = await client.completions.create(model=MODEL, prompt=["a", "b"], stream=True)
        with pytest.raises(openai.APIError, match="the engine died"):
            _ = [chunk async for chunk in stream]
        assert error_of(await post(edge, ["a", "b"]))[:2] == (503, "dependency_unavailable")
        await until(lambda: edge.generator.running == 0)


async def test_a_response_past_its_deadline_is_reported() -> None:
    async with an_edge(FakeGenerator(echoes, stalls_after=1), answer_timeout_s=1.0) as edge:
        assert error_of(await post(edge))[:2] == (504, "timeout")
        await until(lambda: edge.generator.running == 0)


async def test_openais_client_completes_with_a_lora_adapter(edge: EdgeService) -> None:
    async with edge.openai() as client:
        made = await client.completions.create(model="sql", prompt="a", extra_body={"top_k": 3})
        streamed = [part.choices[0].text async for part in await client.completions.create(
            model=MODEL, prompt="a", stream=True
        )]  # fmt: skip
    assert (made.model, made.choices[0].text, "".join(streamed)) == ("sql", "of a done", "of a done")
    assert edge.generator.models == ["sql", ""]
    assert edge.generator.requests[0][1]["top_k"] == 3
