"""vLLM's sampling parameters in the body of `/generate`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rag.errors import InvalidRequest
from rag.http.native.generate_wire import GenerateRequest, WriteRequest
from rag.types import Chat

ALL: dict[str, Any] = {
    "n": 2, "max_tokens": 5, "min_tokens": 1, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "min_p": 0.1,
    "presence_penalty": 1.0, "frequency_penalty": -1.0, "repetition_penalty": 1.1, "seed": 7, "stop": ["a"],
    "stop_token_ids": [5], "include_stop_str_in_output": True, "ignore_eos": True, "bad_words": ["x"],
    "logit_bias": {"5": 1.0}, "allowed_token_ids": [1, 2], "logprobs": 2, "prompt_logprobs": 1,
    "logprob_token_ids": [1], "skip_special_tokens": False, "spaces_between_special_tokens": False,
    "structured_outputs": {"choice": ["a", "b"]}, "repetition_detection": {"max_pattern_size": 3, "min_count": 2},
    "watermarking": False, "skip_reading_prefix_cache": True, "thinking_token_budget": 9, "stream_interval": 4,
    "trace_decode_token_ids": [1], "extra_args": {"a": [None, 1]},
}  # fmt: skip


def test_every_sampling_parameter_passes_through_unchanged() -> None:
    assert GenerateRequest.parse({"prompt": "a", **ALL}).sampling() == ALL
    assert set(ALL) == set(GenerateRequest.model_fields) - {"model", "prompt", "tokens", "stream"}


@pytest.mark.parametrize(
    "invalid",
    [
        {"n": 129}, {"n": 1.5}, {"logprobs": -2}, {"stop": 0}, {"stop": ["a", ""]}, {"bad_words": [""]},
        {"allowed_token_ids": []}, {"allowed_token_ids": [-1]}, {"stop_token_ids": [2**40]}, {"seed": 2**63},
        {"top_k": 2**40}, {"logit_bias": {"1": 101}}, {"extra_args": 5}, {"stream_interval": 0},
        {"thinking_token_budget": -2}, {"logprob_token_ids": list(range(129))}, {"min_p": 1.5},
    ],
    ids=str,
)  # fmt: skip
def test_a_refusal_of_an_invalid_value_names_the_field(invalid: dict[str, Any]) -> None:
    (name,) = invalid
    with pytest.raises(InvalidRequest, match=name) as refused:
        GenerateRequest.parse({"prompt": "a", **invalid})
    assert (refused.value.param or "").startswith(name)


@pytest.mark.parametrize(
    "structure",
    [
        {"choice": ["a"]}, {"regex": "a+"}, {"json": {"type": "object", "default": None}}, {"json": "{}"},
        {"grammar": 'root ::= "a"'}, {"json_object": True}, {"structural_tag": {"format": {"type": "any_text"}}},
    ],
    ids=lambda structure: next(iter(structure)),
)  # fmt: skip
def test_every_structured_output_passes_through_unchanged(structure: dict[str, Any]) -> None:
    sampling = GenerateRequest.parse({"prompt": "a", "structured_outputs": structure}).sampling()
    assert sampling == {"structured_outputs": structure}
    assert WriteRequest.parse({"prompt": "a", **json.loads(json.dumps(sampling))}).sampling() == sampling


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ({}, "exactly one"),
        ({"choice": ["a"], "regex": "a"}, "exactly one"),
        ({"json_object": False}, "json_object"),
        ({"regex": ""}, "regex"),
        ({"choice": [""]}, "choice"),
        ({"regex": "a", "whitespace_pattern": " "}, "no structured-output backend"),
        ({"json_object": True, "disable_any_whitespace": True}, "RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG"),
        ({"json_object": True, "disable_additional_properties": True}, "RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG"),
    ],
)
def test_an_invalid_structured_output_is_refused(structure: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refused:
        GenerateRequest.parse({"prompt": "a", "structured_outputs": structure})
    assert (refused.value.param or "").startswith("structured_outputs")


def test_conversations_are_accepted_only_from_other_services() -> None:
    chat = {"messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function"}], "calls_tools": True}
    assert WriteRequest.parse({"chat": chat}).model_input() == Chat(
        ({"role": "user", "content": "a"},), ({"type": "function"},), {}, True
    )
    with pytest.raises(InvalidRequest, match="chat"):
        GenerateRequest.parse({"chat": chat})
