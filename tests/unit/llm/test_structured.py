"""Structured output of any language model, with its tokenizer or without."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from rag.adapters.estimated_tokenizer import EstimatedTokenizer
from rag.errors import DependencyUnavailable
from rag.ingest.question_prompts import pairs
from rag.llm.structured import StructuredPrompt, complete, fit_to_context
from rag.llm.template_values import NO_THINKING
from rag.retrieve.planning.planner import LanguageModelPlanner
from rag.types import Chat, Message, ModelInput, RenderedChat
from tests.fakes import FakeGenerator, FakeTokenizer

PROMPT = StructuredPrompt((Message("system", "Fill it in."), Message("user", "Which animal?")), {"type": "object"}, 20)
MESSAGES = ({"role": "system", "content": "Fill it in."}, {"role": "user", "content": "Which animal?"})


def test_a_prompt_is_token_ids_with_a_tokenizer_and_else_a_conversation() -> None:
    tokenizer = FakeTokenizer()
    assert fit_to_context(PROMPT, tokenizer, 1_000) == RenderedChat(
        tuple(tokenizer.render(PROMPT.messages, NO_THINKING)), NO_THINKING, thinks=False
    )
    assert fit_to_context(PROMPT, EstimatedTokenizer(), 1_000) == Chat(
        MESSAGES, template_values=NO_THINKING, thinks=False
    )


@pytest.mark.parametrize("tokenizer", [FakeTokenizer(), EstimatedTokenizer()], ids=["counted", "estimated"])
def test_a_prompt_that_exceeds_the_context_is_none(tokenizer: Any) -> None:
    tokens = tokenizer.measure(PROMPT.messages, NO_THINKING) + PROMPT.max_tokens
    assert fit_to_context(PROMPT, tokenizer, tokens) is not None
    assert fit_to_context(PROMPT, tokenizer, tokens - 1) is None


async def test_a_conversation_is_completed_with_structured_output() -> None:
    generator = FakeGenerator('{"animal": "zebra"}')
    completion = await complete(generator, Chat(MESSAGES), PROMPT)
    assert completion.fields() == {"animal": "zebra"}
    ((prompt, sampling, _),) = generator.requests
    assert prompt == Chat(MESSAGES)
    assert sampling["structured_outputs"] == {"json": {"type": "object"}}


def last_message(prompt: ModelInput) -> str:
    assert isinstance(prompt, Chat)
    return str(prompt.messages[-1]["content"])


async def test_a_question_is_planned_without_a_tokenizer() -> None:
    def write(prompt: ModelInput, sampling: Mapping[str, Any]) -> str:
        assert last_message(prompt).endswith("Last question: What does it eat?")
        return json.dumps({"question": "What does the zebra eat?"})

    history = [Message("user", "What is a zebra?"), Message("assistant", "An animal.")]
    planner = LanguageModelPlanner(FakeGenerator(write), EstimatedTokenizer(), context_tokens=4_000, timeout_s=5)
    plan = await planner.plan("What does it eat?", history, rewrite=True, queries=0, hypothetical=False)
    assert (plan.queries, plan.rewritten, plan.note) == (("What does the zebra eat?",), "What does the zebra eat?", "")
    small = LanguageModelPlanner(FakeGenerator(write), EstimatedTokenizer(), context_tokens=200, timeout_s=5)
    plan = await small.plan("What does it eat?", history, rewrite=True, queries=0, hypothetical=False)
    assert "no room" in plan.note


async def test_question_pairs_are_generated_without_a_tokenizer() -> None:
    def write(prompt: ModelInput, sampling: Mapping[str, Any]) -> str:
        assert last_message(prompt) == "Animals\n\nThe zebra eats grass."
        return json.dumps({"pairs": [{"question": "What does the zebra eat?", "answer": "grass"}]})

    arguments = (EstimatedTokenizer(), "The zebra eats grass.", "Animals")
    (pair,) = await pairs(FakeGenerator(write), *arguments, count=1, context_tokens=4_000)
    assert pair.answer == "grass"
    with pytest.raises(DependencyUnavailable):
        await pairs(FakeGenerator("x", dies_after=0), *arguments, count=1, context_tokens=4_000)
