"""What a model thinks, separated from its text by vLLM's own parsers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.vllm.conftest import VllmProcess
from tests.support.models.thinking_model import TEMPLATE, a_thinking_model, a_thinking_tokenizer

pytestmark = pytest.mark.integration

THOUGHT, TEXT = "I see, it is 42.\n\nOr is it?", "It is 42."
OUTPUTS = {
    "the usual": f"\n{THOUGHT}\n</think>\n\n{TEXT}",
    "with its own mark": f"<think>\n{THOUGHT}\n</think>\n\n{TEXT}",
    "cut while it thinks": f"\n{THOUGHT}",
    "nothing thought": f"</think>\n\n{TEXT}",
}


def split_outputs(folder: str, outputs: dict[str, str], sizes: list[int]) -> dict[str, Any]:
    """By parser, output and number of tokens in each part: the thinking, the text, and the tokens that were thought."""
    from transformers import AutoTokenizer

    from rag.adapters.vllm.parsers.reasoning import EngineReasoning
    from rag.types import RenderedChat

    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(folder)
    config: Any = SimpleNamespace(model_config=SimpleNamespace(hf_config=SimpleNamespace(model_type="qwen3")))
    prompt = tuple(tokenizer.encode("<|im_start|>assistant\n<think>"))
    found: dict[str, Any] = {}
    for parser in ("qwen3", "deepseek_r1"):
        reasoning = EngineReasoning(parser, config, tokenizer)
        for name, output in outputs.items():
            for size in sizes:
                request = reasoning.of(RenderedChat(prompt), prompt)
                assert request is not None
                ids = tokenizer.encode(output)
                parts = [ids[start : start + size] for start in range(0, len(ids), size)]
                split = [
                    request.split(0, tokenizer.decode(part), part, is_last=number == len(parts) - 1)
                    for number, part in enumerate(parts)
                ]
                thought, text = ("".join(getattr(part, kind) for part in split) for kind in ("reasoning", "text"))
                found[f"{parser}, {name}, {size}"] = [thought, text, sum(part.reasoning_tokens for part in split)]
        ended = tuple(tokenizer.encode("<|im_start|>assistant\n<think>\n\n</think>\n\n"))
        request = reasoning.of(RenderedChat(ended, {"reasoning_effort": "none"}), ended)
        assert request is not None
        split_one = request.split(0, TEXT, tokenizer.encode(TEXT), is_last=True)
        found[f"{parser} is off"] = [split_one.reasoning, split_one.text, split_one.reasoning_tokens]
        found[f"{parser} fields"] = request.engine_fields()
        found[f"{parser} of text"] = [
            reasoning.of("a text", prompt),
            reasoning.of(RenderedChat(prompt, thinks=False), prompt),
        ]
    found["tokens"] = {name: len(tokenizer.encode(output)) for name, output in outputs.items()}
    found["after"] = len(tokenizer.encode(f"\n\n{TEXT}"))
    return found


def test_every_output_is_split_however_it_arrives(vllm_process: VllmProcess, tmp_path: Path) -> None:
    folder = a_thinking_tokenizer(tmp_path)
    sizes = [1, 2, 5, 1000]
    found = vllm_process.run(split_outputs, folder, OUTPUTS, sizes)
    for parser in ("qwen3", "deepseek_r1"):
        for size in sizes:
            for name in ("the usual", "with its own mark"):
                thought, text, tokens = found[f"{parser}, {name}, {size}"]
                assert (thought, text) == (THOUGHT, TEXT), (parser, name, size)
                assert tokens == found["tokens"][name] - found["after"], (parser, name, size)
            whole = found["tokens"]["cut while it thinks"]
            assert found[f"{parser}, cut while it thinks, {size}"] == [THOUGHT, "", whole], (parser, size)
            assert found[f"{parser}, nothing thought, {size}"][0] == ""
            assert found[f"{parser}, nothing thought, {size}"][1].strip() == TEXT
        assert found[f"{parser} is off"] == ["", TEXT, 0]
        fields = found[f"{parser} fields"]
        assert fields["reasoning_ended"] is True
        assert fields["reasoning_parser_kwargs"]["chat_template_kwargs"]["enable_thinking"] is False
        assert found[f"{parser} of text"] == [None, None]


def names(_: str) -> list[str]:
    from rag.adapters.vllm.parsers.reasoning_parser_choice import BY_MARKS, BY_TYPE, check_reasoning_parser
    from rag.errors import SetupError

    for name in (*(parser for parser, _ in BY_MARKS), *BY_TYPE.values(), "deepseek_r1", None, ""):
        check_reasoning_parser(name, None)
    with pytest.raises(SetupError) as refused:
        check_reasoning_parser("qwen33", None)
    return [refused.value.message, str(refused.value.param)]


def test_the_parsers_that_are_chosen_exist_and_others_are_refused(vllm_process: VllmProcess) -> None:
    message, param = vllm_process.run(names, "")
    assert param == "RAG_LLM__ENGINE__REASONING_PARSER"
    assert "did you mean qwen3" in message


def test_the_fixtures_template_is_one_of_a_known_family() -> None:
    from rag.adapters.vllm.parsers.reasoning_parser_choice import parser_of

    assert parser_of("llama", TEMPLATE) == "qwen3"


def configured(folder: str, budget: int) -> list[Any]:
    """The parser of the engine's configuration and whether it can limit the thinking."""
    from rag.adapters.vllm.parsers.reasoning_parser_choice import reasoning_parser_of
    from rag.adapters.vllm.start import checked_config
    from rag.config import LLMSettings

    _, config = checked_config(folder, LLMSettings(model=folder, thinking_token_budget=budget))
    reasoning = config.reasoning_config
    return [reasoning_parser_of(config), reasoning is not None and reasoning.enabled]


def test_the_parser_is_part_of_the_engines_configuration(vllm_process: VllmProcess, tmp_path: Path) -> None:
    folder = a_thinking_model(tmp_path)
    assert vllm_process.run(configured, folder, 5) == ["qwen3", True]
