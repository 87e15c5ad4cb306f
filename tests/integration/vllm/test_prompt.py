"""Conversations as token ids: a real tokenizer, and chat templates of several kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from rag.adapters import model_files
from rag.adapters.vllm.prompt import EnginePrompts
from rag.config import Settings
from rag.errors import InvalidRequest
from rag.types import Chat, JsonObject

pytestmark = pytest.mark.integration

USER: JsonObject = {"role": "user", "content": "Größe? 日本"}
SYSTEM: JsonObject = {"role": "system", "content": "Be brief."}
CALL: JsonObject = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": [1, "ü"]}'}}],
}
TOOL: JsonObject = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}<model>"
)
TOOLS = (
    "{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }}:{{ c.function.arguments.a[1] }}{% endfor %}{% endfor %}"
    "{{ mood }}"
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_files.llm_folder(Settings()))


@pytest.fixture
def own(tokenizer: Any) -> str:
    template: str = tokenizer.chat_template
    return template


class Desk:
    def __init__(self, tokenizer: Any, template: str | None) -> None:
        self._tokenizer = tokenizer
        tokenizer.chat_template = template
        self.maker = EnginePrompts(tokenizer)

    async def rendered(self, *messages: JsonObject, **chat: Any) -> str:
        text: str = self._tokenizer.decode(await self.maker.token_ids(Chat(messages, **chat)))
        return text


@pytest.fixture
def desk(tokenizer: Any, own: str) -> Iterator[Any]:
    desks: list[Desk] = []

    def make(template: str | None = own) -> Desk:
        desks.append(Desk(tokenizer, template))
        return desks[-1]

    yield make
    tokenizer.chat_template = own
    for one in desks:
        one.maker.close()


async def test_the_models_own_template_makes_the_prompt(desk: Any) -> None:
    text = await desk().rendered(SYSTEM, USER)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nGröße? 日本<|im_end|>\n<|im_start|>assistant\n"
    )


async def test_a_template_without_a_system_role_gets_it_with_the_first_turn(desk: Any) -> None:
    one = desk(NO_SYSTEM)
    assert await one.rendered(SYSTEM, USER) == "<user>Be brief.\n\nGröße? 日本<model>"
    assert await one.rendered(USER) == "<user>Größe? 日本<model>"
    assert await one.rendered(SYSTEM) == "<user>Be brief.<model>"


async def test_tools_calls_and_values_come_into_the_template(desk: Any) -> None:
    text = await desk(TOOLS).rendered(USER, CALL, tools=(TOOL,), template_values={"mood": "calm"})
    assert text == "[f]<user>Größe? 日本<assistant>f:ücalm"


@pytest.mark.parametrize("name", ["chat_template", "tools", "tokenize", "add_generation_prompt"])
async def test_a_value_that_is_none_of_the_templates_is_refused(desk: Any, name: str) -> None:
    with pytest.raises(InvalidRequest, match=name) as refused:
        await desk().rendered(USER, template_values={name: "x"})
    assert refused.value.param == "chat_template_kwargs"


@pytest.mark.parametrize(
    "messages",
    [
        ({"role": "user"},), ({"role": "user", "content": None},), ({"content": "x"},), (),
        ({**CALL, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{bad"}}]},),
    ],
    ids=str,
)  # fmt: skip
async def test_what_a_template_cannot_render_is_refused(desk: Any, messages: tuple[JsonObject, ...]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desk().rendered(*messages)
    assert refused.value.param == "messages"


async def test_a_model_without_a_template_takes_no_conversation(desk: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desk(None).rendered(USER)
    assert refused.value.param == "messages"


async def test_texts_and_conversations_at_the_same_time(desk: Any, tokenizer: Any) -> None:
    """A tokenizer that two threads use at once says "Already borrowed"."""
    maker = desk().maker
    texts = [f"text {n} " * 50 for n in range(20)]
    asked = [*texts, *(Chat((USER,)) for _ in range(5))]
    made = await asyncio.gather(*(maker.token_ids(prompt) for prompt in asked))
    assert made[:20] == [tokenizer.encode(text) for text in texts]
    assert await maker.token_ids((5, 6)) == [5, 6]
