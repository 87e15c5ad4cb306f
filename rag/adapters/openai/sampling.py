"""Converts vLLM's sampling parameters to fields of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rag.errors import InvalidRequest
from rag.types import JsonObject

OPENAI_NAMES = frozenset(
    {
        "temperature", "top_p", "max_tokens", "n", "stop", "seed", "logit_bias", "presence_penalty",
        "frequency_penalty",
    }
)  # fmt: skip
"""Parameters with the same name in OpenAI's API."""
VLLM_NAMES = frozenset(
    {
        "top_k", "min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "bad_words", "ignore_eos",
        "include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens", "allowed_token_ids",
        "logprob_token_ids", "repetition_detection", "thinking_token_budget", "stream_interval", "watermarking",
    }
)  # fmt: skip
"""Parameters that vLLM's server accepts in addition, and other servers in part."""
_NOT_STREAMED = "not available with RAG_LLM__URL: the server is asked for streams, which do not contain it"


def openai_fields(sampling: Mapping[str, Any], *, is_chat: bool, is_vllm: bool) -> JsonObject:
    """The fields of a request's body.

    Raises:
        InvalidRequest: a parameter that no server accepts.
    """
    fields: JsonObject = {}
    for name, value in sampling.items():
        if value is None:
            continue
        if name in OPENAI_NAMES or name in VLLM_NAMES:
            fields[name] = value
        elif name == "logprobs":
            fields |= {"logprobs": True, "top_logprobs": value} if is_chat else {"logprobs": value}
        elif name == "structured_outputs":
            fields |= _structure(value, is_vllm)
        elif name == "extra_args":
            fields["vllm_xargs"] = value
        elif name == "prompt_logprobs":
            raise InvalidRequest(f"{name}: {_NOT_STREAMED}", param=name)
        else:
            raise InvalidRequest(f"{name}: is not supported with RAG_LLM__URL", param=name)
    return fields


def _structure(structure: Mapping[str, Any], is_vllm: bool) -> JsonObject:
    """Structured outputs as `response_format`, which all servers know, or as vLLM's own field.

    The latter is sent to vLLM only: other servers would ignore it.
    """
    wanted = {name: value for name, value in structure.items() if value is not None and value is not False}
    if set(wanted) == {"json"}:
        form = {"name": "answer", "schema": _schema(wanted["json"])}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    if set(wanted) == {"json_object"}:
        return {"response_format": {"type": "json_object"}}
    if is_vllm:
        return {"structured_outputs": wanted}
    names = ", ".join(wanted) or "nothing"
    message = (
        f"structured_outputs: {names}: not supported: the server of RAG_LLM__URL is not vLLM; use json or json_object"
    )
    raise InvalidRequest(message, param="structured_outputs")


def _schema(schema: object) -> object:
    if not isinstance(schema, str):
        return schema
    try:
        return json.loads(schema)
    except ValueError as error:
        message = f"structured_outputs: json: must be JSON ({error})"
        raise InvalidRequest(message, param="structured_outputs") from error
