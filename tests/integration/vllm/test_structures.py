"""Structured outputs as vLLM's backend `guidance` compiles them, and texts that end too early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.vllm.conftest import VllmProcess

pytestmark = pytest.mark.integration

CALL = {"type": "tag", "begin": "<n>", "content": {"type": "json_schema", "json_schema": True}, "end": "</n>"}
STRUCTURES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"json": {"type": "object", "properties": {"a": True}, "required": ["a"]}}, ['{"a": 1}'], ['{"a":1}', '{"a": 1']),
    ({"json": '{"enum": ["x", 1]}'}, ['"x"', "1"], ["2"]),
    ({"json_object": True}, ["{}", '{"a": []}'], ["[]", "{"]),
    ({"choice": ["yes", "no😀\n"]}, ["yes", "no😀\n"], ["no", ""]),
    ({"regex": "[a-z]{2}/\\d"}, ["ab/1"], ["ab/"]),
    ({"grammar": 'root ::= "a" root | "\\u00e9"'}, ["aaé"], ["aa"]),
    ({"grammar": 'start: "a" | "b"'}, ["a"], ["ab"]),
    ({"structural_tag": {"format": CALL}}, ['<n>{"a": 1}</n>'], ['<n>{"a":1}</n>', "<n>1"]),
    ({"structural_tag": json.dumps({"format": CALL})}, ["<n>1</n>"], ["1"]),
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"json": {"properties": {"a": {"not": {}}}}}, "json: the keyword 'not' at #/properties/a is not supported"),
    ({"json": {"$ref": "#"}}, "json: no text can match this"),
    ({"json": "{not json"}, "json: is not JSON"),
    ({"regex": "(?=a)b"}, "regex: "),
    ({"grammar": "root ::= root"}, "grammar: no text can match this"),
    ({"grammar": "root ::= nobody"}, "grammar: the rule 'nobody' is not defined"),
    ({"structural_tag": "{}"}, "structural_tag: needs format"),
    ({"structural_tag": "[]"}, "structural_tag: must be an object"),
    ({"structural_tag": {"format": {"type": "token", "token": 1}}}, "structural_tag: the format 'token'"),
]


def matched(structured: dict[str, Any], texts: Sequence[str]) -> list[bool]:
    from vllm.config import StructuredOutputsConfig

    from rag.adapters.vllm.structures.structured_outputs import structure_of

    config = StructuredOutputsConfig(backend="guidance", disable_any_whitespace=True)
    matcher = structure_of(structured, config).matcher
    assert matcher is not None
    return [matcher.matches(text) for text in texts]


def refused(structured: dict[str, Any]) -> str:
    from rag.errors import InvalidRequest

    try:
        matched(structured, ())
    except InvalidRequest as error:
        return error.message
    return ""


def ended(texts: Sequence[str], finish_reason: str, stop_reason: str | None) -> list[str]:
    """What is streamed if the engine ends a text like this, and at which point the request fails."""
    from vllm import CompletionOutput, RequestOutput, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    from rag.adapters.vllm.output import token_stream
    from rag.adapters.vllm.structures.lark import any_of
    from rag.adapters.vllm.structures.matcher import TextMatcher
    from rag.errors import InvalidRequest
    from rag.types import TextDelta

    async def outputs() -> AsyncGenerator[RequestOutput, None]:
        for number, text in enumerate(texts, start=1):
            is_last = number == len(texts)
            ends: Any = {"finish_reason": finish_reason, "stop_reason": stop_reason} if is_last else {}
            written = CompletionOutput(0, text, [1], None, None, **ends)
            yield RequestOutput("r", None, [1], None, [written], is_last)

    async def read() -> list[str]:
        params = SamplingParams(structured_outputs=StructuredOutputsParams(choice=["one two"]))
        streamed = []
        try:
            async with token_stream(outputs(), 1, params, None, TextMatcher(any_of(["one two"]))) as stream:
                streamed.append("begins")
                async for item in stream:
                    streamed += [item.text] if isinstance(item, TextDelta) else ["end"]
        except InvalidRequest as error:
            streamed.append(f"fails: {error.param}")
        return streamed

    return asyncio.run(read())


def chosen_backends() -> list[str]:
    """The backend for a tokenizer in Python, and for a fast one."""
    from transformers import TokenizersBackend

    from rag.adapters.vllm.structures.backend import choose_structures

    backends = []
    for tokenizer in (object(), TokenizersBackend.__new__(TokenizersBackend)):
        outputs = SimpleNamespace(backend="guidance")
        model: Any = SimpleNamespace(skip_tokenizer_init=False)
        config: Any = SimpleNamespace(model_config=model, structured_outputs_config=outputs)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("vllm.tokenizers.cached_tokenizer_from_config", lambda _, tokenizer=tokenizer: tokenizer)
            choose_structures(config)
        backends.append(outputs.backend)
    return backends


@pytest.mark.parametrize(("structured", "valid", "invalid"), STRUCTURES)
def test_complete_texts_match(
    vllm_process: VllmProcess, structured: dict[str, Any], valid: list[str], invalid: list[str]
) -> None:
    expected = [True] * len(valid) + [False] * len(invalid)
    assert vllm_process.run(matched, structured, [*valid, *invalid]) == expected


@pytest.mark.parametrize(("structured", "reason"), REFUSED)
def test_what_cannot_be_enforced_is_refused(vllm_process: VllmProcess, structured: dict[str, Any], reason: str) -> None:
    assert vllm_process.run(refused, structured).startswith(f"structured_outputs: {reason}")


@pytest.mark.parametrize(
    ("texts", "finish_reason", "stop_reason", "streamed"),
    [
        (["one", " two"], "stop", None, ["begins", "one", " two", "end"]),
        (["one", " t"], "stop", None, ["begins", "one", "fails: structured_outputs"]),
        ([""], "stop", None, ["fails: structured_outputs"]),
        (["one", " t"], "length", None, ["begins", "one", " t", "end"]),
        (["one", " t"], "stop", "wo", ["begins", "one", " t", "end"]),
    ],
)
def test_a_text_that_ends_too_early_is_a_failure(
    vllm_process: VllmProcess, texts: list[str], finish_reason: str, stop_reason: str | None, streamed: list[str]
) -> None:
    assert vllm_process.run(ended, texts, finish_reason, stop_reason) == streamed


def test_a_tokenizer_that_the_default_backend_cannot_read_gets_another(vllm_process: VllmProcess) -> None:
    assert vllm_process.run(chosen_backends) == ["xgrammar", "guidance"]
