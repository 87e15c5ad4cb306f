"""Long conversations become a summary and their newest turns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rag.errors import SetupError
from rag.retrieve.compaction.compactor import Compaction, CompactionRequest, Compactor
from rag.retrieve.compaction.turns import message_item, summary_items, text_of
from rag.retrieve.prompting.template_check import open_templates
from rag.types import JsonMapping, RenderedChat
from tests.fakes import FakeGenerator, FakeTokenizer

SUMMARY = "They talked about zebras; the code is 4711."
WRITTEN = json.dumps({"summary": SUMMARY})
LONG = "word " * 60


def user(text: str) -> JsonMapping:
    return message_item("user", text)


def assistant(text: str) -> JsonMapping:
    return message_item("assistant", text)


def conversation(exchanges: int) -> list[JsonMapping]:
    pairs = [(user(f"question {number} {LONG}"), assistant(f"answer {number} {LONG}")) for number in range(exchanges)]
    return [item for pair in pairs for item in pair]


class Harness:
    def __init__(self, text: Any = WRITTEN, timeout_s: float = 60.0, **options: Any) -> None:
        self.generator = FakeGenerator(text, **options)
        self.tokenizer = FakeTokenizer()
        templates = open_templates(None, fence=True)
        self.compactor = Compactor(self.generator, self.tokenizer, templates, timeout_s=timeout_s)

    async def compact(self, items: list[JsonMapping], context_tokens: int = 1000, **fields: Any) -> Compaction:
        return await self.compactor.compact(CompactionRequest(items, context_tokens, **fields))

    @property
    def prompt(self) -> str:
        prompt = self.generator.requests[-1][0]
        assert isinstance(prompt, RenderedChat)
        return self.tokenizer.decode(prompt)


def texts(made: Compaction) -> list[str]:
    return [text_of(item) for item in made.items]


async def test_a_short_conversation_stays_as_it_is() -> None:
    harness, items = Harness(), [user("Hello"), assistant("Hi there")]
    made = await harness.compact(items)
    assert (made.items, made.is_shorter, made.tokens) == (items, False, 3)
    assert not harness.generator.requests


async def test_the_newest_exchanges_stay_and_the_others_are_summarized() -> None:
    harness, items = Harness(), conversation(5)
    made = await harness.compact(items, instructions="Be a zookeeper.")
    kept = items[-4:]  # three exchanges would have more than a quarter of the context
    assert list(made.items) == [*summary_items(SUMMARY), *kept]
    assert made.is_shorter
    assert not made.note
    assert made.usage.prompt_tokens > 3 * 120
    assert made.usage.completion_tokens > 0
    assert "user: question 0" in harness.prompt
    assert "assistant: answer 2" in harness.prompt
    assert "question 3" not in harness.prompt
    assert "Be a zookeeper." in harness.prompt


async def test_the_threshold_of_a_request_is_the_measure() -> None:
    made = await Harness().compact(conversation(5), context_tokens=100_000, max_tokens=1100)
    assert len(made.items) == 2 + 4
    assert not (await Harness().compact(conversation(5), context_tokens=100_000)).is_shorter


async def test_system_messages_stay_word_for_word() -> None:
    system = [message_item("system", "Rules"), message_item("developer", "More rules")]
    made = await Harness().compact([system[0], *conversation(3), system[1], *conversation(2)])
    assert list(made.items[:2]) == system
    assert texts(made)[2] == text_of(summary_items(SUMMARY)[0])


async def test_an_earlier_summary_goes_into_the_next_one() -> None:
    harness = Harness()
    made = await harness.compact([*summary_items("The lion is called Leo."), *conversation(5)])
    assert "The lion is called Leo." in harness.prompt
    assert sum("Summary of our conversation" in text for text in texts(made)) == 1
    again = await Harness().compact([*summary_items("The lion is called Leo."), user("Hello")])
    assert texts(again)[0].endswith("The lion is called Leo.")


async def test_calls_are_summarized_and_no_output_stays_without_its_call() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "SF"}'}
    output = {"type": "function_call_output", "call_id": "c1", "output": "65 degrees"}
    harness = Harness()
    made = await harness.compact([user(f"Weather? {LONG * 5}"), call, user("And now?"), output])
    assert [item["type"] for item in made.items] == ["message", "message", "message"]
    assert texts(made)[-1] == "And now?"
    assert 'weather({"city": "SF"})' in harness.prompt


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"dies_after": 0}, "does not answer"),
        ({"stalls_after": 0, "timeout_s": 0.05}, "timeout"),
        ({"text": "no JSON"}, "could not be read"),
        ({"text": json.dumps({"summary": "same same same same same same same same"})}, "could not be read"),
    ],
)
async def test_without_a_summary_the_newest_turns_that_fit_are_kept(options: Any, why: str) -> None:
    made = await Harness(**options).compact(conversation(9))
    assert why in made.note
    assert made.is_shorter
    assert texts(made)[-1].startswith("answer 8")
    assert texts(made)[0].startswith("question 5")  # half of the context
    kept = await Harness(**options).compact([*summary_items("Leo."), *conversation(9)])
    assert texts(kept)[0].endswith("Leo.")


async def test_what_was_written_of_a_summary_in_time_is_used() -> None:
    text = '{"summary": "They talked about zebras and the code 4711 and then about much more'
    made = await Harness(text).compact(conversation(5))
    assert texts(made)[0].endswith("then about much more")


async def test_what_does_not_fit_into_the_prompt_of_the_summary_is_left_out_of_it() -> None:
    harness = Harness(context_tokens=1000)
    made = await harness.compact(conversation(40))
    assert made.usage.prompt_tokens <= 1000 - 125
    assert "question 37" in harness.prompt
    assert "question 0 " not in harness.prompt
    assert "turns are not in the summary" in made.note


async def test_there_may_be_no_room_for_a_summary() -> None:
    made = await Harness().compact(conversation(5), context_tokens=100)
    assert "no room" in made.note


def test_custom_summaries_must_contain_the_turns(tmp_path: Path) -> None:
    for text in ("Summarize: {{ summary }}", "{% for turn in turns %}{{ turn.content }}{% endfor %}"):
        (tmp_path / "summary.jinja").write_text(text)
        with pytest.raises(SetupError, match=r"summary\.jinja, line 1: leaves out the (turns|summary)"):
            open_templates(tmp_path, fence=True)
    (tmp_path / "summary.jinja").write_text("{{ summary }}{% for turn in turns %}- {{ turn.content }}\n{% endfor %}")
    assert open_templates(tmp_path, fence=True).summary([], "so far", "") == "so far"
