"""The grammar of calls that are written into the text, compiled by vLLM's backends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from rag.errors import InvalidRequest
from tests.integration.vllm.conftest import VllmProcess

pytestmark = pytest.mark.integration

NUMBER = {"$ref": "#/$defs/Number"}
PARAMETERS = {
    "type": "object",
    "properties": {"a": NUMBER},
    "required": ["a"],
    "$defs": {"Number": {"type": "integer"}},
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "add", "parameters": {**PARAMETERS, "additionalProperties": False}}},
    {"type": "function", "function": {"name": "now"}},
]
CALL = '```tool_call\n{"name": "add", "arguments": {"a": 1}}\n```'
VALID = [
    "", "Plain text.", "```python\nx = 1\n``` or ```", CALL, f"Well.\n{CALL}",
    f"{CALL}\n{CALL.replace('add', 'now')} Well.",
]  # fmt: skip
INVALID = [
    CALL.replace("1", '"1"'), CALL.replace("add", "sub"), CALL.replace('"a": 1', ""), "```tool_call\nadd(1)", CALL[:-4],
]  # fmt: skip


def accepted(texts: Sequence[str]) -> list[bool]:
    import xgrammar
    from xgrammar.testing import _is_grammar_accept_string

    from rag.http.v1.function_calling.written_calls import call_or_text

    tag = call_or_text(TOOLS)["structural_tag"]
    items = [
        xgrammar.StructuralTagItem(begin=one["begin"], schema=json.dumps(one["schema"]), end=one["end"])
        for one in tag["structures"]
    ]
    grammar = xgrammar.Grammar.from_structural_tag(items, tag["triggers"])
    return [_is_grammar_accept_string(grammar, text) for text in texts]


def refusals(schema: dict[str, Any]) -> list[str]:
    """What each backend refuses."""
    from rag.adapters.vllm.structures import structure_of
    from rag.http.v1.function_calling.written_calls import call_or_text

    structure = call_or_text([{"function": {"name": "f", "parameters": schema}}])
    refused = []
    for backend in ("xgrammar", "guidance"):
        try:
            structure_of(structure, backend)
        except InvalidRequest as error:
            refused.append(f"{backend}: {error.message}")
    return refused


def guidance_grammar() -> str:
    from vllm.v1.structured_output.backend_guidance import serialize_guidance_grammar
    from vllm.v1.structured_output.backend_types import StructuredOutputOptions

    from rag.http.v1.function_calling.written_calls import call_or_text

    tag = json.dumps(call_or_text(TOOLS)["structural_tag"])
    return serialize_guidance_grammar(StructuredOutputOptions.STRUCTURAL_TAG, tag)


def test_the_grammar_admits_any_text_and_valid_calls(vllm_process: VllmProcess) -> None:
    assert vllm_process.run(accepted, [*VALID, *INVALID]) == [True] * len(VALID) + [False] * len(INVALID)


def test_a_schema_that_the_backend_would_ignore_in_part_is_refused(vllm_process: VllmProcess) -> None:
    (refused,) = vllm_process.run(refusals, {"type": "object", "not": {}})
    assert refused.startswith("xgrammar: structured_outputs: json: the keyword 'not'")
    assert vllm_process.run(refusals, PARAMETERS) == []


def test_guidance_knows_this_form_of_a_tag(vllm_process: VllmProcess) -> None:
    assert "tool_call" in vllm_process.run(guidance_grammar)
