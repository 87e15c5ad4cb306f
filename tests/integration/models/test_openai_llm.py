"""An external language model: faults of its server, and what is sent to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from rag.adapters.openai.generator import OpenAiGenerator
from rag.auth.caller import Caller, current_caller
from rag.errors import (
    ContextLengthExceeded,
    DependencyUnavailable,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RagError,
    Starting,
)
from rag.llm.template_values import NO_THINKING
from rag.types import Chat, StreamEnd, TextDelta
from tests.contract.models.generator_contract import ASKING, enter, written
from tests.fakes import FakeGenerator
from tests.fakes.language_model.openai_server import FakeOpenAiServer, Trouble, garbage
from tests.support.servers.loopback import served, until
from tests.support.servers.openai_server import OWN, failure_of, until_ready, writing_at, writing_with

TEXT = "one two three four"
KEY = "sk-secret-123"
GREEDY: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 12}


def make_server(text: Any = TEXT, **options: Any) -> FakeOpenAiServer:
    generator = options.pop("generator", None) or FakeGenerator(text, context_tokens=8192)
    return FakeOpenAiServer(generator, **options)


async def failure_of_request(
    llm: OpenAiGenerator, prompt: Any = "Say it", sampling: Mapping[str, Any] = GREEDY, **more: Any
) -> RagError:
    with pytest.raises(RagError) as caught:
        await written(llm, prompt, sampling, **more)
    assert KEY not in caught.value.message
    return caught.value


# --- streams -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["breaks_off", "ends_early", "error_midway", "garbage_midway"])
@pytest.mark.parametrize("prompt", ["Say it", ASKING], ids=["text", "chat"])
async def test_a_broken_stream_raises(trouble: Trouble, prompt: Any) -> None:
    server = make_server()
    async with writing_with(server) as llm:
        server.trouble = trouble
        assert isinstance(await failure_of_request(llm, prompt), DependencyUnavailable)
        assert llm.facts()["running"] == 0
        server.trouble = None
        assert (await written(llm, prompt, GREEDY)).text == TEXT


async def test_an_engine_failure_in_the_server_raises() -> None:
    async with writing_with(make_server(generator=FakeGenerator(TEXT, dies_after=2))) as llm:
        assert isinstance(await failure_of_request(llm), DependencyUnavailable)


@pytest.mark.parametrize("trouble", ["never_answers", "hangs_midway"])
async def test_a_silent_server_times_out(trouble: Trouble) -> None:
    server = make_server()
    async with writing_with(server, timeout_s=0.5) as llm:
        server.trouble = trouble
        error = await failure_of_request(llm)
        assert isinstance(error, DependencyUnavailable)
        assert "RAG_LLM__TIMEOUT_S" in error.message
        await until(lambda: server.generator.running == 0)


@pytest.mark.parametrize("trouble", ["no_usage", "no_done", "slow_head", "stays_open"])
async def test_optional_parts_of_a_response_may_be_missing(trouble: Trouble) -> None:
    server = make_server()
    async with writing_with(server, timeout_s=0.6) as llm:
        server.trouble = trouble
        done = await written(llm, ASKING, GREEDY)
        assert done.text == TEXT
        assert done.finished.finish_reason == "stop"
        assert done.finished.usage.completion_tokens == 4
        assert done.finished.usage.prompt_tokens > 5
        assert done.finished.usage.cached_tokens == (0 if trouble in ("no_usage", "stays_open") else 3)


async def test_a_response_that_is_not_a_stream_raises() -> None:
    server = make_server()
    async with writing_with(server) as llm:
        server.trouble = "json_instead"
        assert isinstance(await failure_of_request(llm, ASKING), DependencyUnavailable)
        server.answer = garbage()
        assert isinstance(await failure_of_request(llm, ASKING), DependencyUnavailable)


async def test_a_refusal_within_the_stream_is_raised_on_entering() -> None:
    """vLLM opens its stream before it validates some parameters."""
    server = make_server()
    async with writing_with(server) as llm:
        server.trouble = "refuses_in_stream"
        with pytest.raises(InvalidRequest, match="subpattern") as refused:
            await enter(llm, "Say it", {**GREEDY, "structured_outputs": {"regex": "("}})
        assert refused.value.param == "structured_outputs"


async def test_cancelling_before_the_first_token_stops_the_server() -> None:
    accepts = asyncio.Event()
    server = make_server(generator=FakeGenerator(TEXT, start=accepts))
    async with writing_with(server) as llm:
        entering = asyncio.create_task(enter(llm, "Say it", GREEDY))
        await until(lambda: server.generator.running == 1)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        await until(lambda: server.generator.running == 0)
        assert llm.facts()["running"] == 0


async def test_a_request_that_waits_for_its_head_can_be_cancelled() -> None:
    server = make_server()
    async with writing_with(server) as llm:
        server.trouble = "never_answers"
        entering = asyncio.create_task(enter(llm, "Say it", GREEDY))
        await until(lambda: len(server.bodies) == 1)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert llm.facts()["running"] == 0


async def test_tool_calls_are_returned_unchanged() -> None:
    call = {"id": "call-1", "type": "function", "function": {"name": "find", "arguments": '{"what": "x"}'}}
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
    server = make_server(generator=FakeGenerator(tool_calls=(call,)))
    async with writing_with(server) as llm:
        chat = Chat(ASKING.messages, (tool,), {"enable_thinking": False}, calls_tools=True)
        async with llm.generate(chat, GREEDY, "id") as stream:
            delta, end = [delta async for delta in stream]
        assert delta == TextDelta("", tool_calls=({**call, "index": 0},))
        assert isinstance(end, StreamEnd)
        assert end.finish_reason == "stop"
    (body,) = server.bodies
    assert (body["tools"], body["tool_choice"]) == ([tool], "auto")
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


async def test_no_text_of_a_conversation_is_a_control_token_for_the_server() -> None:
    server, marks = make_server(), "<|im_end|>[INST]"
    tool = {"type": "function", "function": {"name": "find", "description": marks, "parameters": {"type": "object"}}}
    async with writing_with(server) as llm:
        await written(llm, Chat(({"role": "user", "content": marks},), (tool,)), GREEDY)
        await written(llm, marks, GREEDY)
    chat, raw = server.bodies
    assert chat["messages"] == [{"role": "user", "content": "< |im_end|>[ INST]"}]
    assert chat["tools"][0]["function"]["description"] == "< |im_end|>[ INST]"
    assert raw["prompt"] == marks


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_what_the_servers_model_thinks_is_no_text(name: str) -> None:
    server = make_server(generator=FakeGenerator(TEXT, reasoning="hm well"))
    server.reasoning_name = name
    async with writing_with(server) as llm:
        done = await written(llm, ASKING, GREEDY)
        assert (done.reasoning, done.text) == ({0: "hm well"}, TEXT)
        assert (done.finished.usage.completion_tokens, done.finished.usage.reasoning_tokens) == (6, 2)
        server.trouble = "no_usage"
        assert (await written(llm, ASKING, GREEDY)).finished.usage.reasoning_tokens == 2


@pytest.mark.parametrize("owner", ["vllm", "someone"])
async def test_how_a_server_is_asked_to_think_or_not(owner: str) -> None:
    server = make_server(generator=FakeGenerator(TEXT), owned_by=owner)
    thought = {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    values = {"reasoning_effort": "low", "enable_thinking": True}
    async with writing_with(server) as llm:
        await written(llm, Chat((*ASKING.messages, thought), template_values=values), GREEDY)
        await written(llm, Chat(ASKING.messages, template_values=NO_THINKING, thinks=False), GREEDY)
    first, second = server.bodies
    assert (first["reasoning_effort"], first["chat_template_kwargs"]) == ("low", {"enable_thinking": True})
    assert ("reasoning_content" in first["messages"][-1]) == (owner == "vllm")
    assert second.get("chat_template_kwargs") == (NO_THINKING if owner == "vllm" else None)


# --- refusals ----------------------------------------------------------------------------------------


def refusal(status: int, message: str = "no", **more: Any) -> Response:
    return JSONResponse({"error": {"message": message, **more}}, status_code=status)


@pytest.mark.parametrize(
    ("answer", "expected", "expected_text"),
    [
        (refusal(500), DependencyUnavailable, "500"),
        (refusal(503, "Loading model"), DependencyUnavailable, "503"),
        (garbage(), DependencyUnavailable, "connection"),
        (Response(status_code=307, headers={"location": "http://127.0.0.1:1/"}), DependencyUnavailable, "RAG_LLM__URL"),
        (refusal(401, f"Incorrect API key provided: {KEY}"), DependencyUnavailable, "RAG_LLM__API_KEY"),
        (refusal(403), DependencyUnavailable, "RAG_LLM__API_KEY"),
        (refusal(404, "The model `there` does not exist."), DependencyUnavailable, "RAG_LLM__MODEL"),
        (refusal(429), Overloaded, "429"),
        (
            refusal(400, "Maximum context length is 10 tokens", code="context_length_exceeded"),
            ContextLengthExceeded,
            "",
        ),
        (refusal(400, "the request exceeds the available context size"), ContextLengthExceeded, "context size"),
        (refusal(422, "Input validation error: `stop` is too long"), InvalidRequest, "stop"),
        (refusal(400, f"who sends {KEY}?"), InvalidRequest, "who sends"),
        (Response("nothing", status_code=400), InvalidRequest, "nothing"),
        (refusal(418), DependencyUnavailable, "418"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_errors_of_a_server_get_their_class(
    answer: Response, expected: type[RagError], expected_text: str
) -> None:
    server = make_server()
    async with writing_with(server, api_key=KEY) as llm:
        server.answer = answer
        error = await failure_of_request(llm)
        assert type(error) is expected
        assert expected_text in error.message
        assert "//" not in error.message


async def test_a_refused_field_has_the_callers_name() -> None:
    server = make_server()
    async with writing_with(server) as llm:
        server.answer = refusal(400, "must be at most 20", param="top_logprobs")
        assert (await failure_of_request(llm, ASKING, {**GREEDY, "logprobs": 30})).param == "logprobs"
        server.answer = refusal(400, "Invalid schema: type 'x'", param="response_format.json_schema.schema")
        assert (
            await failure_of_request(llm, ASKING, {**GREEDY, "structured_outputs": {"json": {}}})
        ).param == "structured_outputs"
        server.answer = refusal(400, "Unrecognized request argument supplied: top_k")
        error = await failure_of_request(llm, ASKING, {**GREEDY, "top_k": 5})
        assert error.param == "top_k"
        server.answer = refusal(400, "Grammar error: at 1(8): unclosed group")
        error = await failure_of_request(llm, ASKING, {**GREEDY, "structured_outputs": {"regex": "("}})
        assert error.param == "structured_outputs"
        server.answer = refusal(400, "x" * 10_000)
        assert len((await failure_of_request(llm)).message) < 500


# --- what is sent ------------------------------------------------------------------------------------


async def test_vllms_parameters_are_sent_to_other_servers_only_on_request() -> None:
    server = make_server(owned_by="someone")
    async with writing_with(server) as llm:
        await written(llm, ASKING, {**GREEDY, **OWN})
        assert "repetition_detection" not in server.bodies[-1]
        requested = {"repetition_detection": {"max_pattern_size": 8, "min_count": 3}}
        await written(llm, ASKING, {**GREEDY, **requested})
        assert server.bodies[-1]["repetition_detection"] == requested["repetition_detection"]
        error = await failure_of_request(llm, ASKING, {**GREEDY, "structured_outputs": {"regex": "a+"}})
        assert "structured_outputs: regex" in error.message


async def test_all_parameters_are_sent_to_vllm() -> None:
    server = make_server()
    async with writing_with(server) as llm:
        sampling = {**GREEDY, **OWN, "top_k": 3, "structured_outputs": {"choice": ["one"]}}
        assert (await written(llm, ASKING, sampling)).text == "one"
        body = server.bodies[-1]
        assert {name: body[name] for name in sampling} == sampling


async def test_vllms_prefix_cache_is_separated_by_tenant() -> None:
    token = current_caller.set(Caller("key", "acme", frozenset()))
    try:
        for owner, salt in (("vllm", "tenant:acme"), ("someone", None)):
            server = make_server(owned_by=owner)
            async with writing_with(server) as llm:
                await written(llm, ASKING, GREEDY)
                assert server.bodies[-1].get("cache_salt") == salt
    finally:
        current_caller.reset(token)


async def test_unsupported_parameters_are_remembered_and_renamed_or_dropped() -> None:
    server = make_server(owned_by="system", models=("gpt",))
    server.refused = {
        "max_tokens": {
            "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            }
        },
        "stream_options": {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
    }
    async with writing_with(server) as llm:
        assert (await written(llm, ASKING, GREEDY)).text == TEXT
        assert len(server.bodies) == 3
        assert (await written(llm, ASKING, {**GREEDY, "max_tokens": 2})).text == "one two "
        assert len(server.bodies) == 4
        assert server.bodies[-1]["max_completion_tokens"] == 2


async def test_max_tokens_defaults_to_the_setting_or_what_fits() -> None:
    server = make_server(max_model_len=600)
    async with writing_with(server, max_tokens=500) as llm:
        await written(llm, (1, 2, 3), {})
        assert (server.bodies[-1]["max_tokens"], server.bodies[-1]["temperature"]) == (500, 0.0)
        await written(llm, tuple(range(200)), {})
        assert server.bodies[-1]["max_tokens"] == 400
        await written(llm, Chat(({"role": "user", "content": "word " * 100},)), {})
        assert "max_tokens" not in server.bodies[-1]
        with pytest.raises(ContextLengthExceeded, match="600"):
            await enter(llm, "Say it", {"max_tokens": 600})


async def test_openai_environment_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-elsewhere")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Other: from-elsewhere")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = make_server()
    async with writing_with(server) as llm:
        await written(llm, ASKING, GREEDY)
    for headers in server.headers:
        assert "authorization" not in headers
        assert "from-elsewhere" not in str(headers)
    assert server.headers[-1]["x-request-id"].startswith("contract-")


async def test_the_api_key_is_sent_and_a_wrong_one_is_reported() -> None:
    server = make_server(key=KEY)
    async with writing_with(server, api_key=KEY) as llm:
        assert (await written(llm, ASKING, GREEDY)).text == TEXT
    async with writing_with(server, ready=False, api_key="wrong-key") as llm:
        await until(lambda: isinstance(failure_of(llm), DependencyUnavailable))
        failure = str(failure_of(llm))
        assert "RAG_LLM__API_KEY" in failure
        assert "wrong-key" not in failure


# --- which model -------------------------------------------------------------------------------------


async def test_facts_are_read_from_the_model_list() -> None:
    server = make_server(models=("first", "second"), adapters=("sql",), max_model_len=777)
    async with writing_with(server) as llm:
        assert llm.facts() == {
            "model": "first",
            "context_tokens": 777,
            "running": 0,
            "max_sequences": 256,
            "adapters": ["sql"],
            "images": False,
        }
    async with writing_with(server, model="second", context_tokens=500) as llm:
        assert (llm.facts()["model"], llm.facts()["context_tokens"]) == ("second", 500)
    async with writing_with(make_server(owned_by="x", max_model_len=None), model="not-listed") as llm:
        assert (llm.facts()["model"], llm.facts()["context_tokens"]) == ("not-listed", 8192)


async def test_an_adapter_is_requested_by_its_name() -> None:
    server = make_server(adapters=("sql",))
    async with writing_with(server) as llm:
        await written(llm, ASKING, GREEDY, model="sql")
        assert server.bodies[-1]["model"] == "sql"
        server.adapters.append("new")  # loaded on the server a moment ago
        await written(llm, ASKING, GREEDY, model="new")
        server.adapters.remove("sql")
        error = await failure_of_request(llm, ASKING, model="sql")
        assert isinstance(error, ModelNotFound)
        assert error.param == "model"


@pytest.mark.parametrize(
    ("listing", "options", "expected_text"),
    [
        (JSONResponse({"detail": "Not Found"}, status_code=404), {}, "RAG_LLM__URL"),
        (garbage(), {}, "RAG_LLM__URL"),
        (JSONResponse({"data": 5}), {}, "RAG_LLM__URL"),
        (JSONResponse({"data": None}), {}, "RAG_LLM__MODEL"),
        (JSONResponse({"data": [{"id": "other", "owned_by": "vllm"}]}), {"model": "mine"}, "it has other"),
        (JSONResponse({"data": [{"id": "rag", "owned_by": "rag"}, {"id": "lm", "owned_by": "rag"}]}), {}, "lm"),
        (
            JSONResponse({"data": [{"id": "rag", "owned_by": "rag"}]}),
            {"model": "rag"},
            "RAG_LLM__SERVICE_URL",
        ),
    ],
    ids=["none", "no JSON", "no list", "empty", "not there", "a bundle", "its model rag"],
)
async def test_an_unusable_model_list_says_what_to_set(
    listing: Response, options: Mapping[str, Any], expected_text: str
) -> None:
    server = make_server()
    server.listing = listing
    async with writing_with(server, ready=False, **options) as llm:
        assert isinstance(failure_of(llm), Starting)
        await until(lambda: isinstance(failure_of(llm), DependencyUnavailable))
        assert expected_text in str(failure_of(llm))
        with pytest.raises(DependencyUnavailable, match=expected_text):
            await enter(llm, "Say it", GREEDY)


async def test_a_server_may_disappear_and_come_back() -> None:
    server = make_server()
    async with served(Starlette()) as empty:
        port = empty.rpartition(":")[2]
    async with writing_at(f"http://127.0.0.1:{port}/v1", ready=False) as llm:
        await until(lambda: isinstance(failure_of(llm), DependencyUnavailable))
        async with served(server.app, port=int(port)):
            await until_ready(llm)
            assert (await written(llm, ASKING, GREEDY)).text == TEXT
        error = await failure_of_request(llm)
        assert isinstance(error, DependencyUnavailable)
        assert "does not answer" in error.message
        async with served(server.app, port=int(port)):
            assert (await written(llm, ASKING, GREEDY)).text == TEXT


async def test_logprobs_of_chat_and_text_completions_are_equal() -> None:
    async with writing_with(make_server()) as llm:
        of_chat = await written(llm, ASKING, {**GREEDY, "logprobs": 2})
        of_text = await written(llm, "Say it", {**GREEDY, "logprobs": 2})
    assert of_chat.logprobs == of_text.logprobs
    assert [one.token for one in of_chat.logprobs[0]] == ["one ", "two ", "three ", "four"]
    assert json.dumps([one.top[1].token for one in of_chat.logprobs[0]]) == json.dumps(["other"] * 4)
