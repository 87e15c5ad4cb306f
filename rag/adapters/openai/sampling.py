"""vLLM's sampling parameters in the terms of OpenAI's API."""

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
"""Those that OpenAI's API calls the same."""
VLLM_NAMES = frozenset(
    {
        "top_k", "min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "bad_words", "ignore_eos",
        "include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens", "allowed_token_ids",
        "logprob_token_ids", "repetition_detection", "thinking_token_budget", "stream_interval", "watermarking",
    }
)  # fmt: skip
"""Those that vLLM's server takes beside OpenAI's, and others in part."""
_NOT_STREAMED = "a language model behind RAG_LLM__URL answers in streams, which do not hold it"


def openai_fields(sampling: Mapping[str, Any], *, is_chat: bool, is_vllm: bool) -> JsonObject:
    """Fields of a request's body.

    Raises:
        InvalidRequest: names a parameter that no server would understand.
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
            raise InvalidRequest(f"{name}: is no parameter of a language model behind RAG_LLM__URL", param=name)
    return fields


def _structure(structure: Mapping[str, Any], is_vllm: bool) -> JsonObject:
    """As `response_format`, which all servers know, where that can say it.

    Others would let a field of vLLM's pass, and write what they like: they are not sent it.
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
    message = f"structured_outputs: {names}: the server behind RAG_LLM__URL is not vLLM; it takes json or json_object"
    raise InvalidRequest(message, param="structured_outputs")


def _schema(schema: Any) -> Any:
    if not isinstance(schema, str):
        return schema
    try:
        return json.loads(schema)
    except ValueError as error:
        message = f"structured_outputs: json: is not JSON ({error})"
        raise InvalidRequest(message, param="structured_outputs") from error
