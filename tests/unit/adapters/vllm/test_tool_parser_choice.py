"""Tool parsers chosen by chat templates."""

from __future__ import annotations

import pytest

from rag.adapters.vllm.parsers.tool_parser_choice import parser_of_template

HERMES = (
    "{%- if tools %}For each function call, return a json object within <tool_call></tool_call> XML tags:\n"
    '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>{%- endif %}'
)


@pytest.mark.parametrize(
    ("template", "parser"),
    [
        (HERMES, "hermes"),
        (HERMES.replace('{"name"', '<function=example_function_name>{"name"'), "qwen3_coder"),
        (HERMES.replace("<args-json-object>", "<arg_key>"), "glm45"),
        ("{% if tools %}[AVAILABLE_TOOLS]{% endif %}[TOOL_CALLS]", "mistral"),
        (
            '{% if tools %}Respond in the format {"name": function name, "parameters": dictionary of argument name and '
            "its value}.{% endif %}",
            "llama3_json",
        ),
        ("{{ tools }}<｜tool▁calls▁begin｜>function\n```json\n{}```", "deepseek_v3"),
        ("{{ tools }}<｜tool▁calls▁begin｜>", "deepseek_v31"),
        ("{{ tools }} in an unknown form", None),
        ("<tool_call></tool_call> of a template that is given none", None),
        ("", None),
    ],
)
def test_the_template_decides(template: str, parser: str | None) -> None:
    assert parser_of_template(template) == parser
