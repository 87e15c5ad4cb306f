"""Sampling parameters that vLLM had once, or that this service cannot take, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag.errors import InvalidRequest

_BEAMS = (
    "vLLM's engine has no beam search any more; ask for several texts with n and a temperature above 0, and rank them "
    "by the sum of their logprobs"
)
REMOVED: Mapping[str, str] = {
    "best_of": "vLLM has removed it; ask for n texts with logprobs, and keep those whose logprobs have the highest sum",
    "use_beam_search": _BEAMS,
    "beam_width": _BEAMS,
    "length_penalty": f"it belonged to beam search: {_BEAMS}",
    "early_stopping": f"it belonged to beam search: {_BEAMS}",
    "guided_json": "vLLM has removed it; use structured_outputs with json",
    "guided_regex": "vLLM has removed it; use structured_outputs with regex",
    "guided_choice": "vLLM has removed it; use structured_outputs with choice",
    "guided_grammar": "vLLM has removed it; use structured_outputs with grammar",
    "guided_decoding": "vLLM has removed it; use structured_outputs",
    "guided_json_object": "vLLM has removed it; use structured_outputs with json_object",
    "guided_decoding_backend": (
        "a request cannot choose it any more; set "
        'RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG={"backend": "guidance"} for the service'
    ),
    "guided_whitespace_pattern": (
        "vLLM has removed it; set "
        'RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG={"backend": "xgrammar", "disable_any_whitespace": true}'
    ),
    "logits_processors": (
        "vLLM takes them from its settings alone; set RAG_LLM__ENGINE__LOGITS_PROCESSORS to a JSON array of classes, "
        "and give them values in extra_args"
    ),
    "truncate_prompt_tokens": "vLLM has removed it; send the tokens that are to stay in tokens",
}
"""Names that vLLM's SamplingParams, or its server, had in earlier versions."""

_IDS_ALONE = "this service streams text; give logprobs to have each token's id beside it"
_OWN = "it is a matter between vLLM and this service"
REFUSED: Mapping[str, str] = {
    "output_kind": "this service always streams new text; set stream to false to have it in one piece",
    "detokenize": _IDS_ALONE,
    "flat_logprobs": "it changes only how vLLM keeps logprobs in memory; use logprobs",
    "skip_clone": _OWN,
    "output_text_buffer_length": f"vLLM sets it from stop; {_OWN}",
    "prompt_logprob_token_ids": "their scores are not passed on; use prompt_logprobs",
    "prompt_logprob_start": "it belongs to prompt_logprob_token_ids, whose scores are not passed on",
    "routed_experts_prompt_start": "which experts a token was routed to is not passed on",
}
"""Parameters of the installed SamplingParams that make no sense here."""


def refuse_removed(data: Mapping[str, Any]) -> None:
    """Look at a request's body before it is validated: an unknown field alone would not say what to do.

    Raises:
        InvalidRequest: names the first that is there, and says what to use instead. null counts as not there.
    """
    for name, value in data.items():
        if value is not None and (advice := REMOVED.get(name) or REFUSED.get(name)):
            raise InvalidRequest(f"{name}: is not taken: {advice}", param=name)
