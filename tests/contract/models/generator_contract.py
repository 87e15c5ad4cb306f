"""What every Generator does. Inherit it and give it the fixtures `generator` and `running`.

`running` says how many requests the language model works on right now, as seen from behind the generator.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from rag.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound
from rag.llm.images import data_url
from rag.ports import Generator, TokenStream
from rag.types import Chat, Insertion, ModelInput, ReasoningDelta, StreamEnd, TextDelta, TokenLogprob
from tests.support.models.vision_model import a_png

Running = Callable[[], Awaitable[int]]
PROMPT = "The capital of France is Paris. The capital of Germany is"
COLD: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 12}
WARM: Mapping[str, Any] = {"temperature": 0.8, "seed": 7, "max_tokens": 8}
ENDLESS: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 4000, "ignore_eos": True}
ASKING = Chat(
    (
        {"role": "system", "content": "You answer in one short sentence."},
        {"role": "user", "content": "What is the capital of France?"},
    )
)
FURTHER = Chat(
    (
        *ASKING.messages,
        {"role": "assistant", "content": "It is Paris."},
        {"role": "user", "content": "And what is the capital of the country of Germany, please?"},
    )
)
SEEING = Chat(
    (
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": data_url(a_png("red"), "PNG")}},
                {"type": "text", "text": "What is this?"},
            ],
        },
    )
)


@dataclass
class Written:
    """What a generator wrote, put together."""

    finished: StreamEnd
    texts: dict[int, str] = field(default_factory=dict)
    logprobs: dict[int, list[TokenLogprob]] = field(default_factory=dict)
    reasoning: dict[int, str] = field(default_factory=dict)
    """What it thought, by the number of the text."""

    @property
    def text(self) -> str:
        return self.texts.get(0, "")


async def read(stream: TokenStream) -> Written:
    """The whole stream, which must have exactly one `StreamEnd`, at its end."""
    texts: dict[int, str] = {}
    logprobs: dict[int, list[TokenLogprob]] = {}
    last: list[StreamEnd] = []
    reasoning: dict[int, str] = {}
    async for delta in stream:
        assert not last, "something came after the end"
        if isinstance(delta, StreamEnd):
            last.append(delta)
            continue
        if isinstance(delta, ReasoningDelta):
            assert delta.text, "an empty delta"
            assert delta.index not in texts, "the model thinks before it writes"
            reasoning[delta.index] = reasoning.get(delta.index, "") + delta.text
            continue
        assert delta.text or delta.logprobs or delta.tool_calls, "an empty delta"
        texts[delta.index] = texts.get(delta.index, "") + delta.text
        logprobs.setdefault(delta.index, []).extend(delta.logprobs)
    assert len(last) == 1
    return Written(last[0], texts, logprobs, reasoning)


async def written(generator: Generator, prompt: ModelInput, sampling: Mapping[str, Any], model: str = "") -> Written:
    async with generator.generate(prompt, sampling, "contract", model=model) as stream:
        return await read(stream)


async def enter(generator: Generator, prompt: ModelInput, sampling: Mapping[str, Any], model: str = "") -> None:
    """A request that is left as soon as it is accepted."""
    async with generator.generate(prompt, sampling, "contract", model=model):
        pass


async def until_running(running: Running, count: int, timeout_s: float = 120) -> None:
    async with asyncio.timeout(timeout_s):
        while await running() != count:
            await asyncio.sleep(0.02)


class GeneratorContract:
    token_ids: tuple[int, ...] = (504, 3575, 282, 4649, 314)
    """A prompt; of a vocabulary that knows them."""
    context_tokens = 8192
    """Of the language model."""
    tells_stop_reason = True
    """Whether an end names the stop text; a plain OpenAI server has no such field."""
    takes_token_ids = True
    gives_prompt_logprobs = True
    reads_images = False
    inserts_text = False

    async def test_an_image_is_read_or_refused(self, generator: Generator) -> None:
        if not self.reads_images:
            with pytest.raises(InvalidRequest):
                await written(generator, SEEING, COLD)
            return
        blind = Chat(({"role": "user", "content": "What is this?"},))
        tokens = [(await written(generator, chat, COLD)).finished.usage.prompt_tokens for chat in (blind, SEEING)]
        assert tokens[0] < tokens[1]

    async def test_text_is_inserted_or_the_suffix_refused(self, generator: Generator) -> None:
        if not self.inserts_text:
            with pytest.raises(InvalidRequest) as caught:
                await written(generator, Insertion(PROMPT, " Berlin."), COLD)
            assert caught.value.param == "suffix"
            return
        assert (await written(generator, Insertion(PROMPT, " Berlin."), COLD)).text

    async def test_text_and_one_end(self, generator: Generator) -> None:
        done = await written(generator, PROMPT, COLD)
        assert done.text.strip()
        assert set(done.texts) == {0}
        assert done.finished.finish_reason in ("stop", "length")
        assert done.finished.all_ends()[0].finish_reason == done.finished.finish_reason
        assert 0 < done.finished.usage.completion_tokens <= 12
        assert 0 < done.finished.usage.prompt_tokens < 100
        assert not any(done.logprobs.values())
        assert done.finished.prompt_logprobs == ()

    async def test_at_temperature_0_the_text_is_always_the_same(self, generator: Generator) -> None:
        first, again = await asyncio.gather(*(written(generator, PROMPT, COLD) for _ in range(2)))
        assert first.text == again.text

    async def test_a_seed_makes_it_the_same_too(self, generator: Generator) -> None:
        first, again = await written(generator, PROMPT, WARM), await written(generator, PROMPT, WARM)
        assert first.text == again.text

    async def test_token_ids_are_a_prompt(self, generator: Generator) -> None:
        if not self.takes_token_ids:
            pytest.skip("this one takes text alone")
        done = await written(generator, self.token_ids, COLD)
        assert done.text.strip()
        assert done.finished.usage.prompt_tokens == len(self.token_ids)

    async def test_a_conversation_is_a_prompt(self, generator: Generator) -> None:
        done, further = await written(generator, ASKING, COLD), await written(generator, FURTHER, COLD)
        assert done.text.strip()
        assert further.text.strip()
        assert further.finished.usage.prompt_tokens > done.finished.usage.prompt_tokens + 10

    async def test_max_tokens_ends_it(self, generator: Generator) -> None:
        done = await written(generator, PROMPT, {**COLD, "max_tokens": 1})
        assert done.finished.usage.completion_tokens == 1
        assert done.finished.finish_reason == "length"
        assert (await written(generator, PROMPT, COLD)).text.startswith(done.text)

    async def test_a_stop_text_ends_it_and_is_left_out(self, generator: Generator) -> None:
        whole = (await written(generator, PROMPT, COLD)).text
        stop = whole.split()[1]
        done = await written(generator, PROMPT, {**COLD, "stop": ["no such text", stop]})
        assert done.text == whole[: whole.index(stop)]
        assert done.finished.finish_reason == "stop"
        if self.tells_stop_reason:
            assert done.finished.all_ends()[0].stop_reason == stop

    async def test_several_texts(self, generator: Generator) -> None:
        done = await written(generator, PROMPT, {**WARM, "n": 3})
        assert set(done.texts) == {0, 1, 2}
        assert all(done.texts.values())
        assert len(done.finished.all_ends()) == 3
        assert 3 <= done.finished.usage.completion_tokens <= 3 * 8

    async def test_several_texts_at_temperature_0_are_the_same(self, generator: Generator) -> None:
        one, two = await written(generator, PROMPT, COLD), await written(generator, PROMPT, {**COLD, "n": 2})
        assert two.texts == {0: one.text, 1: one.text}
        assert len(two.finished.all_ends()) == 2
        assert two.finished.usage.completion_tokens == 2 * one.finished.usage.completion_tokens

    async def test_log_probabilities(self, generator: Generator) -> None:
        done = await written(generator, PROMPT, {**COLD, "logprobs": 2})
        plain = await written(generator, PROMPT, COLD)
        tokens = done.logprobs[0]
        assert done.text == plain.text
        assert "".join(one.token for one in tokens).startswith(done.text)  # and what ended it
        assert len(tokens) == done.finished.usage.completion_tokens
        for one in tokens:
            assert one.logprob <= 0
            assert len(one.top) == 2
            assert [other.logprob for other in one.top] == sorted((o.logprob for o in one.top), reverse=True)
            assert one.token in [other.token for other in one.top]
            assert sum(math.exp(other.logprob) for other in one.top) <= 1.001

    async def test_log_probabilities_of_the_chosen_token_alone(self, generator: Generator) -> None:
        done = await written(generator, PROMPT, {**COLD, "logprobs": 0})
        assert len(done.logprobs[0]) == done.finished.usage.completion_tokens
        assert all(one.top == () for one in done.logprobs[0])

    async def test_log_probabilities_of_several_texts(self, generator: Generator) -> None:
        done = await written(generator, PROMPT, {**WARM, "n": 2, "logprobs": 1})
        assert set(done.logprobs) == {0, 1}
        for index, tokens in done.logprobs.items():
            assert "".join(one.token for one in tokens).startswith(done.texts[index])

    async def test_log_probabilities_of_the_prompt(self, generator: Generator) -> None:
        if not self.gives_prompt_logprobs:
            pytest.skip("this one has none")
        done = await written(generator, PROMPT, {**COLD, "prompt_logprobs": 1})
        first, *others = done.finished.prompt_logprobs
        assert first is None
        assert len(others) == done.finished.usage.prompt_tokens - 1
        for one in others:
            assert one is not None
            assert one.logprob <= 0
            assert len(one.top) == 1
        assert done.text == (await written(generator, PROMPT, COLD)).text

    async def test_a_choice(self, generator: Generator) -> None:
        choices = ["Berlin", "Bonn"]
        done = await written(generator, PROMPT, {**COLD, "structured_outputs": {"choice": choices}})
        assert done.text in choices
        assert done.finished.finish_reason == "stop"

    async def test_json_of_a_schema(self, generator: Generator) -> None:
        schema = {
            "type": "object",
            "properties": {"city": {"enum": ["Berlin", "Bonn"]}},
            "required": ["city"],
            "additionalProperties": False,
        }
        sampling = {**COLD, "max_tokens": 60, "structured_outputs": {"json": schema}}
        done = await written(generator, ASKING, sampling)
        assert json.loads(done.text)["city"] in ("Berlin", "Bonn")

    async def test_it_is_accepted_before_the_first_token_and_leaving_ends_it(
        self, generator: Generator, running: Running
    ) -> None:
        async with generator.generate(PROMPT, ENDLESS, "contract"):
            await until_running(running, 1)
        await until_running(running, 0)

    async def test_leaving_it_between_two_deltas_ends_it(self, generator: Generator, running: Running) -> None:
        async with generator.generate(PROMPT, ENDLESS, "contract") as stream:
            assert isinstance(await anext(stream), TextDelta)
        await until_running(running, 0)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    async def test_leaving_ends_all_of_several_texts(self, generator: Generator, running: Running) -> None:
        async with generator.generate(PROMPT, {**ENDLESS, "temperature": 0.8, "n": 3}, "contract") as stream:
            assert isinstance(await anext(stream), TextDelta)
        await until_running(running, 0)

    @pytest.mark.parametrize("defect", [ValueError, TimeoutError, OSError])
    async def test_an_error_of_the_caller_ends_it_and_stays_what_it_is(
        self, generator: Generator, running: Running, defect: type[Exception]
    ) -> None:
        async def fail() -> None:
            async with generator.generate(PROMPT, ENDLESS, "contract") as stream:
                await anext(stream)
                raise defect("of the caller")

        with pytest.raises(defect, match="of the caller"):
            await fail()
        await until_running(running, 0)

    async def test_a_task_that_is_cancelled_ends_it(self, generator: Generator, running: Running) -> None:
        begun = asyncio.Event()

        async def asking() -> None:
            async with generator.generate(PROMPT, ENDLESS, "contract") as stream:
                begun.set()
                async for _ in stream:
                    pass
                raise AssertionError("it came to its end")

        task = asyncio.create_task(asking())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_running(running, 0)

    async def test_an_empty_prompt_is_refused(self, generator: Generator) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await enter(generator, "", COLD)
        assert refused.value.param == "prompt"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"temperature": 9.0}, {"top_p": 0.0}, {"n": 0}, {"max_tokens": 0}, {"presence_penalty": 3.0},
            {"frequency_penalty": -2.5}, {"logprobs": -5}, {"logprobs": 100_000},
        ],
        ids=lambda wrong: "-".join(map(str, next(iter(wrong.items())))),
    )  # fmt: skip
    async def test_a_value_out_of_range_is_refused_by_name(self, generator: Generator, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await enter(generator, PROMPT, {**WARM, **wrong})
        (name,) = wrong
        assert refused.value.param == name
        assert name in refused.value.message

    async def test_an_unknown_parameter_is_refused_by_name(self, generator: Generator) -> None:
        with pytest.raises(InvalidRequest, match="temprature") as refused:
            await enter(generator, PROMPT, {**COLD, "temprature": 1.0})
        assert refused.value.param == "temprature"

    @pytest.mark.parametrize(
        "bad",
        [{"regex": "(unclosed"}, {"json": {"type": "no such type"}}, {"choice": []}, {"grammar": "root ::= ("}],
        ids=lambda bad: next(iter(bad)),
    )
    async def test_a_structure_that_cannot_be_compiled_is_refused(
        self, generator: Generator, bad: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidRequest):
            await enter(generator, PROMPT, {**COLD, "structured_outputs": bad})
        assert (await written(generator, PROMPT, COLD)).text

    async def test_more_tokens_than_the_context_holds_are_refused(self, generator: Generator) -> None:
        with pytest.raises(ContextLengthExceeded) as refused:
            await enter(generator, PROMPT, {**COLD, "max_tokens": self.context_tokens})
        assert refused.value.param == "max_tokens"

    async def test_a_prompt_longer_than_the_context_is_refused(self, generator: Generator) -> None:
        with pytest.raises(ContextLengthExceeded) as refused:
            await enter(generator, "word " * (self.context_tokens + 8), COLD)
        assert refused.value.param == "prompt"

    async def test_an_unknown_adapter_is_not_found(self, generator: Generator) -> None:
        with pytest.raises(ModelNotFound, match="no-such-adapter") as refused:
            await enter(generator, PROMPT, COLD, "no-such-adapter")
        assert refused.value.param == "model"

    async def test_many_at_the_same_time(self, generator: Generator, running: Running) -> None:
        prompts = [f"The number {n} is followed by" for n in range(6)]
        done = await asyncio.gather(*(written(generator, prompt, COLD) for prompt in prompts))
        assert all(one.text for one in done)
        await until_running(running, 0)
