"""Builds vLLM's SamplingParams from the sampling parameters of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.adapters.vllm.errors import translated
from rag.adapters.vllm.structures.matcher import TextMatcher
from rag.adapters.vllm.structures.structured_outputs import structure_of
from rag.adapters.vllm.structures.xgrammar_schemas import PARAM
from rag.errors import InvalidRequest
from rag.llm.greedy_copies import copies_wanted

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.config import VllmConfig

_IDS = ("stop_token_ids", "allowed_token_ids", "logprob_token_ids", "trace_decode_token_ids")


@dataclass(frozen=True, slots=True)
class Sampling:
    """vLLM's parameters of a request, and how often its text is returned."""

    params: SamplingParams
    copies: int = 1
    """Number of identical texts in the answer: at temperature 0 one text is generated and copied."""
    matcher: TextMatcher | None = None
    """Compares complete texts with the structured output."""


def sampling_of(chosen: Mapping[str, Any], config: VllmConfig) -> Sampling:
    """vLLM's parameters for a stream of text deltas.

    Args:
        config: The configuration of the engine.

    Raises:
        InvalidRequest: vLLM refuses a value; names the parameter and the reason.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    values = {name: value for name, value in chosen.items() if value is not None}
    _check_ids(values, config.model_config.get_vocab_size())
    if values.get("watermarking") and config.watermark_config is None:  # docs/bentoml_issues.md#v7
        refusal = "watermarking: not configured; set RAG_LLM__ENGINE__WATERMARK_CONFIG"
        raise InvalidRequest(refusal, param="watermarking")
    copies = copies_wanted(values)
    matcher = None
    if (structured := values.get(PARAM)) is not None:
        with translated(PARAM):
            structure = structure_of(structured, config.structured_outputs_config)
        values[PARAM], matcher = structure.params, structure.matcher
    values |= _objects(values)
    with translated():
        params = SamplingParams(output_kind=RequestOutputKind.DELTA, **values)
    return Sampling(params, copies, matcher)


def _objects(values: Mapping[str, Any]) -> dict[str, Any]:
    from vllm.sampling_params import RepetitionDetectionParams

    objects: dict[str, Any] = {}
    if (repetition := values.get("repetition_detection")) is not None:
        with translated("repetition_detection"):
            objects["repetition_detection"] = RepetitionDetectionParams(**repetition)
    if (bias := values.get("logit_bias")) is not None:
        objects["logit_bias"] = {_token_id(token): float(weight) for token, weight in bias.items()}
    return objects


def _token_id(text: str | int) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest(f"logit_bias: {text[:80]!r} is not a token id", param="logit_bias") from None  # type: ignore[index]


def _check_ids(values: Mapping[str, Any], vocabulary: int) -> None:
    """Check token ids, naming the first invalid one; vLLM would repeat them all (docs/bentoml_issues.md#v10)."""
    ids_by_name = {name: values[name] for name in _IDS if values.get(name)}
    if (bias := values.get("logit_bias")) is not None:
        ids_by_name["logit_bias"] = [_token_id(token) for token in bias]
    for name, ids in ids_by_name.items():
        wrong = next((token for token in ids if not 0 <= token < vocabulary), None)
        if wrong is not None:
            raise InvalidRequest(f"{name}: {wrong} is not in the vocabulary of {vocabulary}", param=name)
