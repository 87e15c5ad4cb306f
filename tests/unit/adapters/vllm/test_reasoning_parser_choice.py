"""Reasoning parsers chosen by the model's type and chat template."""

from __future__ import annotations

import pytest

from rag.adapters.vllm.parsers.reasoning_parser_choice import parser_of

TURN = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
STRIPPING = "{% set content = content.split('</think>')[-1] %}"


@pytest.mark.parametrize(
    ("template", "parser"),
    [
        (f"{TURN}{{% if enable_thinking is false %}}<think>\\n\\n</think>{{% endif %}}", "qwen3"),
        (f"{{% if enable_thinking %}}<arg_key></think><think>{{% endif %}}{TURN}", "glm45"),
        (f"{STRIPPING}{{% if add_generation_prompt %}}<|assistant|><think>\\n{{% endif %}}", "deepseek_r1"),
        ("<｜tool▁calls▁begin｜>{% if thinking %}<think>{% else %}</think>{% endif %}", "deepseek_v3"),
        ("[THINK]{{ text }}[/THINK]", "mistral"),
        ("<seed:think>", "seed_oss"),
        (f"{STRIPPING}{TURN}", None),
        (f"<think></think>{TURN}", None),
        (TURN, None),
        ("", None),
    ],
)
def test_the_template_decides(template: str, parser: str | None) -> None:
    assert parser_of("qwen3", template) == parser


def test_the_type_decides_for_families_whose_template_does_not_tell() -> None:
    assert parser_of("gemma4", "") == "gemma4"
