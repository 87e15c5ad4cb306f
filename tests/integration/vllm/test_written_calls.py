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
    """Whether the grammar admits each text, with vLLM's default backend and our own translation."""
    from vllm.config import StructuredOutputsConfig

    from rag.adapters.vllm.structures.structured_outputs import structure_of
    from rag.http.v1.function_calling.written_calls import call_or_text

    config = StructuredOutputsConfig(backend="guidance")
    matcher = structure_of(call_or_text(TOOLS), config).matcher
    assert matcher is not None
    return [matcher.matches(text) for text in texts]


def accepted_by_xgrammar(texts: Sequence[str]) -> list[bool]:
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
    from vllm.config import StructuredOutputsConfig

    from rag.adapters.vllm.structures.structured_outputs import structure_of
    from rag.http.v1.function_calling.written_calls import call_or_text

    structure = call_or_text([{"function": {"name": "f", "parameters": schema}}])
    refused = []
    for backend in ("xgrammar", "guidance"):
        try:
            structure_of(structure, StructuredOutputsConfig(backend=backend))
        except InvalidRequest as error:
            refused.append(f"{backend}: {error.message}")
    return refused


@pytest.mark.parametrize("compiled_by", [accepted, accepted_by_xgrammar])
def test_the_grammar_admits_any_text_and_valid_calls(vllm_process: VllmProcess, compiled_by: Any) -> None:
    expected = [True] * len(VALID) + [False] * len(INVALID)
    assert vllm_process.run(compiled_by, [*VALID, *INVALID]) == expected


def test_a_schema_that_the_backend_would_ignore_in_part_is_refused(vllm_process: VllmProcess) -> None:
    first, second = vllm_process.run(refusals, {"type": "object", "properties": {"a": {"not": {}}}})
    assert first.startswith("xgrammar: structured_outputs: json: the keyword 'not' at #/properties/a")
    assert second.startswith("guidance: structured_outputs: structural_tag: the keyword 'not' at #/properties/a")
    assert vllm_process.run(refusals, PARAMETERS) == []
