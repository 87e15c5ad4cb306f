"""Sampling parameters that vLLM has removed or that this service does not support, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from rag.errors import InvalidRequest

_BEAMS = (
    "vLLM's engine no longer has beam search; request several texts with n and a temperature above 0, and rank them "
    "by the sum of their logprobs"
)
REMOVED: Mapping[str, str] = {
    "best_of": "vLLM has removed it; request n texts with logprobs and keep those with the highest sum of logprobs",
    "use_beam_search": _BEAMS,
    "beam_width": _BEAMS,
    "length_penalty": f"it was part of beam search: {_BEAMS}",
    "early_stopping": f"it was part of beam search: {_BEAMS}",
    "guided_json": "vLLM has removed it; use structured_outputs with json",
    "guided_regex": "vLLM has removed it; use structured_outputs with regex",
    "guided_choice": "vLLM has removed it; use structured_outputs with choice",
    "guided_grammar": "vLLM has removed it; use structured_outputs with grammar",
    "guided_decoding": "vLLM has removed it; use structured_outputs",
    "guided_json_object": "vLLM has removed it; use structured_outputs with json_object",
    "guided_decoding_backend": (
        "it can no longer be chosen per request; set "
        'RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG={"backend": "guidance"} for the service'
    ),
    "guided_whitespace_pattern": (
        "vLLM has removed it; set "
        'RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG={"backend": "xgrammar", "disable_any_whitespace": true}'
    ),
    "logits_processors": (
        "vLLM accepts them only as an engine setting; set RAG_LLM__ENGINE__LOGITS_PROCESSORS to a JSON array of "
        "classes and pass their arguments in extra_args"
    ),
    "truncate_prompt_tokens": "vLLM has removed it; truncate the prompt yourself and send it in tokens",
}
"""Parameters of earlier versions of vLLM's SamplingParams or server."""

_IDS_ALONE = "this service streams text; set logprobs to get each token's id as well"
_OWN = "it is internal to vLLM and this service"
REFUSED: Mapping[str, str] = {
    "output_kind": "this service always streams new text; set stream to false for a complete response",
    "detokenize": _IDS_ALONE,
    "flat_logprobs": "it changes only how vLLM keeps logprobs in memory; use logprobs",
    "skip_clone": _OWN,
    "output_text_buffer_length": f"vLLM sets it from stop; {_OWN}",
    "prompt_logprob_token_ids": "their scores are not returned; use prompt_logprobs",
    "prompt_logprob_start": "it belongs to prompt_logprob_token_ids, whose scores are not returned",
    "routed_experts_prompt_start": "expert routing is not returned",
}
"""Parameters of the installed SamplingParams that have no use in this service."""


NEUTRAL: Mapping[str, JsonValue] = {
    "best_of": 1,
    "use_beam_search": False,
    "length_penalty": 1.0,
    "early_stopping": False,
}
"""By parameter: the value that asks for nothing."""


def without_removed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The body without these parameters, whose values must be null or ask for nothing.

    It is called before validation, which could only say that a field is unknown.

    Raises:
        InvalidRequest: names the first one with another value, and says what to use instead.
    """
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if (advice := REMOVED.get(name) or REFUSED.get(name)) is None:
            kept[name] = value
        elif value is not None and (name not in NEUTRAL or value != NEUTRAL[name]):
            raise InvalidRequest(f"{name}: is not supported: {advice}", param=name)
    return kept
