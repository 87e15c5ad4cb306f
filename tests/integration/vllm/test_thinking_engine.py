"""A real engine with a tiny model whose chat template makes it think. Its thoughts are random; a budget ends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.vllm.conftest import VllmProcess
from tests.support.models.thinking_model import a_thinking_model

pytestmark = [pytest.mark.integration, pytest.mark.long]

BUDGET = 6


def generate(folder: str) -> dict[str, Any]:
    import asyncio
    import dataclasses

    from rag.adapters.vllm.engine import VllmEngine
    from rag.config import LLMSettings
    from rag.errors import Starting
    from rag.types import Chat, Insertion, ReasoningDelta, RenderedChat, StreamEnd, TextDelta

    settings = LLMSettings(model=folder, thinking_token_budget=BUDGET, engine={"max_model_len": 512})
    engine = VllmEngine(folder, settings, lambda name, path: path)
    turns = ({"role": "user", "content": "What is six times seven?"},)
    # At temperature 0 the thoughts of this model are blanks.
    choice: dict[str, Any] = {"structured_outputs": {"choice": ["42"]}, "temperature": 1, "seed": 3}

    async def written(prompt: Any, sampling: dict[str, Any]) -> dict[str, Any]:
        reasoning, texts, kinds = dict[int, str](), dict[int, str](), list[str]()
        async with engine.generate(prompt, sampling, str(prompt)[:40] + str(sampling)) as stream:
            async for delta in stream:
                kinds.append(type(delta).__name__)
                if isinstance(delta, ReasoningDelta):
                    reasoning[delta.index] = reasoning.get(delta.index, "") + delta.text
                elif isinstance(delta, TextDelta):
                    texts[delta.index] = texts.get(delta.index, "") + delta.text
                elif isinstance(delta, StreamEnd):
                    end = delta
        usage = dataclasses.asdict(end.usage)
        return {
            "reasoning": list(reasoning.values()), "texts": list(texts.values()), "end": end.finish_reason,
            "kinds": kinds, **usage,
        }  # fmt: skip

    async def all_written() -> dict[str, Any]:
        await engine.start()
        try:
            while True:
                try:
                    facts = engine.facts()
                    break
                except Starting:
                    await asyncio.sleep(0.2)
            thinking, silent = {"reasoning_effort": "low"}, {"reasoning_effort": "none"}
            token_ids = engine._prompts.token_ids if engine._prompts else None
            assert token_ids is not None
            gap = Insertion("Six times seven is ", ".")
            middle = (await token_ids(gap))[-1]
            opened = tuple(await token_ids(Chat(turns, template_values=thinking)))
            return {
                "parser": facts["reasoning_parser"],
                "thinks": await written(Chat(turns, template_values=thinking), choice),
                "rendered": await written(RenderedChat(opened, thinking), choice),
                "silent": await written(Chat(turns, template_values=silent), choice),
                "not allowed": await written(RenderedChat(opened, thinking, thinks=False), choice),
                "a text": await written("Six times seven is ", choice),
                "inserted": await written(gap, choice),
                "ended": await written(gap, {"max_tokens": 5, "temperature": 0, "logit_bias": {str(middle): 100.0}}),
                "two": await written(Chat(turns, template_values=thinking), {**choice, "n": 2, "temperature": 1}),
                "own budget": await written(
                    Chat(turns, template_values=thinking), {**choice, "thinking_token_budget": 2}
                ),
                "cut": await written(
                    Chat(turns, template_values=thinking),
                    {"max_tokens": 5, "thinking_token_budget": -1, "temperature": 1, "seed": 3, "ignore_eos": True},
                ),
            }
        finally:
            await engine.stop()

    return asyncio.run(all_written())


def test_a_model_thinks_until_its_budget_ends_and_then_follows_the_grammar(
    vllm_process: VllmProcess, tmp_path: Path
) -> None:
    found = vllm_process.run(generate, a_thinking_model(tmp_path))
    assert found["parser"] == "qwen3"
    for name in ("thinks", "rendered"):
        one = found[name]
        assert one["texts"] == ["42"], name
        assert one["reasoning"][0].strip(), name
        assert one["end"] == "stop"
        assert BUDGET <= one["reasoning_tokens"] <= BUDGET + 2, name
        assert one["reasoning_tokens"] < one["completion_tokens"]
        kinds = one["kinds"][:-1]
        assert kinds == sorted(kinds), "ReasoningDelta before TextDelta"
    for name in ("silent", "not allowed", "a text", "inserted"):
        assert (found[name]["texts"], found[name]["reasoning"]) == (["42"], []), name
        assert found[name]["reasoning_tokens"] == 0
    ended = found["ended"]
    assert (ended["texts"], ended["end"], ended["completion_tokens"]) == ([], "stop", 1), (
        "a token of the gap ends a text"
    )
    assert found["two"]["texts"] == ["42", "42"]
    assert len(found["two"]["reasoning"]) == 2
    assert found["own budget"]["reasoning_tokens"] <= 4
    cut = found["cut"]
    assert (cut["texts"], cut["end"], cut["reasoning_tokens"], cut["completion_tokens"]) == ([], "length", 5, 5)
