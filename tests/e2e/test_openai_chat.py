"""Chat completions, completions and models of the real service, through OpenAI's client and LangChain's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from langchain_openai import ChatOpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field

from tests.e2e.citation_tokens import CITES_1, CITES_9
from tests.e2e.running import ENDLESS_TOKENS, LIMIT_S, RunningService

ASK: list[Any] = [{"role": "user", "content": "Name a colour and a number."}]
QUESTION: list[Any] = [{"role": "user", "content": "Where does the axolotl live?"}]


class Note(BaseModel):
    colour: Literal["red", "blue", "green"]
    number: int = Field(ge=0, le=99)


TOOL: Any = openai.pydantic_function_tool(Note, name="note", description="Note a colour and a number.")


@pytest.fixture
def client(filled: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{filled.url}/v1", api_key="x", max_retries=0, timeout=LIMIT_S) as client:
        yield client


@pytest.fixture
def model(client: openai.OpenAI) -> str:
    return next(model.id for model in client.models.list() if (model.model_extra or {})["kind"] == "language")


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("is_rag", [False, True])
def test_a_stream_has_the_same_text_as_the_plain_answer(client: openai.OpenAI, model: str, is_rag: bool) -> None:
    body: Any = {"model": "rag" if is_rag else model, "messages": QUESTION, "temperature": 0, "max_tokens": 16}
    plain = client.chat.completions.create(**body)
    chunks = list(client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
    assert text_of(chunks) == plain.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == plain.choices[0].finish_reason
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-2]] == [None] * (len(chunks) - 2)
    assert (chunks[-1].choices, chunks[-1].usage and chunks[-1].usage.completion_tokens) == (
        [], plain.usage and plain.usage.completion_tokens
    )  # fmt: skip


def test_an_answer_names_its_sources(client: openai.OpenAI, filled: RunningService) -> None:
    answer = client.chat.completions.create(
        model="rag", messages=QUESTION, max_tokens=40, extra_body={"rag": {"top_k": 2}}
    )
    message: Any = answer.choices[0].message
    assert message.rag["sources"][0]["filename"] == "animals/axolotl.md"
    assert "Xochimilco" in message.content


@pytest.mark.parametrize("stream", [False, True])
def test_marks_become_annotations(client: openai.OpenAI, filled: RunningService, stream: bool) -> None:
    more: Any = {"allowed_token_ids": CITES_1, "rag": {"top_k": 2, "citations": "verify"}}
    body: Any = {"model": "rag", "messages": QUESTION, "max_tokens": 20, "temperature": 0, "extra_body": more}
    answer: Any = client.chat.completions.create(**body, stream=stream)
    chunks = [chunk for chunk in answer if chunk.choices] if stream else []
    text = text_of(chunks) if stream else answer.choices[0].message.content
    text_with = chunks[-1].choices[0].delta if stream else answer.choices[0].message
    notes = [note if isinstance(note, dict) else note.to_dict() for note in text_with.annotations]
    assert len(notes) >= 2
    assert [note["url_citation"]["file_id"] for note in notes] == [one["file_id"] for one in text_with.rag["citations"]]
    assert text_with.rag["weakly_supported"] == len(notes)
    for note in notes:
        cited = note["url_citation"]
        assert text[cited["start_index"] : cited["end_index"]] == "[1]"
        assert filled.get(cited["url"].removeprefix(filled.url)).status_code == 200


def test_marks_of_nonexistent_sources_are_removed(client: openai.OpenAI) -> None:
    more: Any = {"allowed_token_ids": CITES_9, "rag": {"top_k": 2}}
    answer = client.chat.completions.create(
        model="rag", messages=QUESTION, max_tokens=20, temperature=0, extra_body=more
    )
    message: Any = answer.choices[0].message
    assert "[" not in message.content
    assert (message.annotations, message.rag["citations_removed"] >= 2) == ([], True)


def test_system_messages_and_history_go_into_the_prompt(client: openai.OpenAI) -> None:
    turns: list[Any] = [
        {"role": "system", "content": "Be brief."},
        *QUESTION,
        {"role": "assistant", "content": "Mexico."},
    ]
    written: Any = {"style": "written", "rag": {"top_k": 1}}
    short = client.chat.completions.create(model="rag", messages=QUESTION, max_tokens=1, extra_body=written).usage
    again: Any = {"role": "user", "content": "Where does the axolotl live, again?"}
    long = client.chat.completions.create(model="rag", messages=[*turns, again], max_tokens=1, extra_body=written).usage
    assert short is not None
    assert long is not None
    assert long.prompt_tokens > short.prompt_tokens + 5


def test_several_texts_and_a_seed(client: openai.OpenAI, model: str) -> None:
    def texts(seed: int) -> list[str | None]:
        made = client.chat.completions.create(model=model, messages=ASK, n=3, max_tokens=12, seed=seed, temperature=1)
        return [choice.message.content for choice in made.choices]

    first = texts(1)
    assert len(set(first)) > 1
    assert texts(1) == first
    assert texts(2) != first


def test_sampling_parameters_take_effect(client: openai.OpenAI, model: str) -> None:
    def choice_with(**options: Any) -> Any:
        options = {"max_tokens": 8, "temperature": 0, **options}
        return client.chat.completions.create(model=model, messages=ASK, **options).choices[0]

    plain = choice_with(logprobs=True, top_logprobs=2)
    tokens = plain.logprobs.content
    assert "".join(token.token for token in tokens) == plain.message.content
    assert all(token.top_logprobs[0].logprob >= token.logprob for token in tokens)
    assert all(bytes(token.bytes).decode() == token.token for token in tokens)
    stopped = choice_with(stop=[tokens[3].token])
    assert (stopped.finish_reason, stopped.stop_reason) == ("stop", tokens[3].token)
    assert stopped.message.content == plain.message.content[: plain.message.content.index(tokens[3].token)]
    assert choice_with(extra_body={"bad_words": [tokens[0].token]}).message.content != plain.message.content
    assert choice_with(max_tokens=2).finish_reason == "length"


def test_structured_outputs(client: openai.OpenAI, model: str) -> None:
    def text_with(form: dict[str, Any]) -> str:
        made = client.chat.completions.create(
            model=model, messages=ASK, max_tokens=80, extra_body={"structured_outputs": form}
        )
        return made.choices[0].message.content or ""

    parsed = client.chat.completions.parse(model=model, messages=ASK, response_format=Note, max_tokens=80)
    assert isinstance(parsed.choices[0].message.parsed, Note)
    assert isinstance(Note.model_validate_json(text_with({"json": Note.model_json_schema()})), Note)
    assert text_with({"choice": ["yes", "no"]}) in ("yes", "no")
    assert re.fullmatch(r"[A-Z]{3}-\d{2}", text_with({"regex": r"[A-Z]{3}-\d{2}"}))
    assert text_with({"grammar": 'root ::= ("ab" | "cd") "!"'}) in ("ab!", "cd!")
    with pytest.raises(openai.BadRequestError) as caught:
        text_with({"json": {"type": "nonsense"}})
    assert caught.value.param == "structured_outputs"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "note"}}])
def test_functions_are_called(client: openai.OpenAI, model: str, choice: Any) -> None:
    body: Any = {
        "model": model, "messages": ASK, "tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False,
        "temperature": 0, "max_tokens": 120,
    }  # fmt: skip
    plain: Any = client.chat.completions.create(**body).choices[0]
    with client.chat.completions.stream(**body) as stream:
        streamed: Any = stream.get_final_completion().choices[0]
    (call,), (other,) = plain.message.tool_calls, streamed.message.tool_calls
    assert (call.function.name, other.function.parsed_arguments) == (
        "note", Note.model_validate_json(call.function.arguments)
    )  # fmt: skip
    assert {plain.finish_reason, streamed.finish_reason} == {"tool_calls" if choice == "required" else "stop"}


def test_the_model_may_choose_whether_it_calls(client: openai.OpenAI, model: str) -> None:
    body: Any = {"model": model, "messages": ASK, "tools": [TOOL], "temperature": 0, "max_tokens": 30}
    plain = client.chat.completions.create(**body).choices[0]
    text = text_of(list(client.chat.completions.create(**body, stream=True)))
    assert plain.message.tool_calls is None  # it was not trained to
    assert plain.message.content == text != ""


def test_the_language_model_has_a_second_name(client: openai.OpenAI, model: str) -> None:
    body: Any = {"messages": ASK, "temperature": 0, "max_tokens": 8}
    text_with = [client.chat.completions.create(model=name, **body) for name in (model, "gpt-4o-mini")]
    assert text_with[0].choices[0].message.content == text_with[1].choices[0].message.content


def test_completions(client: openai.OpenAI, model: str) -> None:
    prompts, options = ["The capital of France is", "One, two,"], {"max_tokens": 5, "temperature": 0}
    made = client.completions.create(model=model, prompt=prompts, **options)  # type: ignore[call-overload]
    chunks = client.completions.create(model=model, prompt=prompts, stream=True, **options)  # type: ignore[call-overload]
    texts = {0: "", 1: ""}
    for chunk in chunks:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert [choice.text for choice in made.choices] == list(texts.values())
    assert "Paris" in texts[0]
    again = client.completions.create(model=model, prompt=prompts[0], echo=True, logprobs=1, max_tokens=0)
    echoed: Any = again.choices[0]
    assert (echoed.text, "".join(echoed.logprobs.tokens)) == (prompts[0], prompts[0])
    assert echoed.logprobs.token_logprobs[0] is None


def test_a_disconnect_stops_the_engine(client: openai.OpenAI, model: str, filled: RunningService) -> None:
    async def ask(stream: bool) -> None:
        body: Any = {"model": model, "messages": ASK, "max_tokens": ENDLESS_TOKENS, "extra_body": {"ignore_eos": True}}
        async with openai.AsyncOpenAI(base_url=str(client.base_url), api_key="x", max_retries=0) as leaving:
            made: Any = await leaving.chat.completions.create(**body, stream=stream)
            _ = [chunk async for chunk in made]

    async def disconnect(stream: bool) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(stream), 2)

    async def all_of_them() -> None:
        await asyncio.gather(*(disconnect(stream) for stream in (True, False) * 3))

    asyncio.run(all_of_them())
    filled.wait_until_idle()


def test_langchain(client: openai.OpenAI, model: str) -> None:
    options: Any = {"base_url": str(client.base_url), "api_key": "x", "temperature": 0, "max_tokens": 40}
    chat = ChatOpenAI(model=model, **options)
    whole = chat.invoke("Say hello.")
    assert "".join(str(piece.content) for piece in chat.stream("Say hello.")) == whole.content
    for method in ("json_schema", "function_calling"):
        assert isinstance(chat.with_structured_output(Note, method=method).invoke("Red, 7"), Note)
    (call,) = chat.bind_tools([TOOL], tool_choice="note").invoke("Red, 7").tool_calls
    assert Note.model_validate(call["args"])
    answer = ChatOpenAI(model="rag", **options).invoke("Where does the axolotl live?")
    assert "Xochimilco" in str(answer.content)


def test_the_bytes_of_a_stream_are_ascii(filled: RunningService, model: str) -> None:
    body = {"model": model, "messages": ASK, "stream": True, "max_tokens": 6}
    body |= {"structured_outputs": {"choice": ["naïve 日本 🙂"]}}
    got = filled.post("/v1/chat/completions", body)
    assert got.content.isascii()
    *events, done = [line for line in got.text.splitlines() if line]
    assert done == "data: [DONE]"
    deltas = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events]
    assert "".join(delta.get("content", "") for delta in deltas) in "naïve 日本 🙂"
