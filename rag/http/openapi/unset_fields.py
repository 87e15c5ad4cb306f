"""Describes optional response fields as absent rather than null.

`/v1` returns only the fields that were set. So most fields of OpenAI's models that default to None are absent rather
than null. The generated schema would admit null, which OpenAI's own document does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rag.types import JsonObject

_REFERENCE = "#/components/schemas/"
_ALWAYS_SET: Mapping[str, Sequence[str]] = {
    "ChatCompletionMessage": ("content", "refusal"),
    "ChatCompletionTokenLogprob": ("bytes",),
    "ChoiceLogprobs": ("content", "refusal"),
    "CompletionText": ("logprobs",),
    "FileSearchOut": ("filters",),
    "ResponseError": ("param",),
    "ResponseFileSearchToolCall": ("results",),
    "ResponseFunctionToolCall": ("id", "status"),
    "Result": ("attributes",),
    "TopLogprob": ("bytes",),
    "VectorStoreObject": ("expires_at", "last_active_at", "metadata"),
    "openai__types__chat__chat_completion__Choice": ("logprobs",),
}
"""Fields that default to None, but are always set, sometimes to null."""
_MAY_BE_NULL: Mapping[str, Sequence[str]] = {"StoredMessage": ("content", "content_parts", "refusal")}
"""Fields that are absent, null, or have a value."""


def without_unset_nulls(document: JsonObject) -> None:
    """Change the schemas that only JSON responses of `/v1` use: what may be absent is not null."""
    in_responses: set[str] = set()
    elsewhere: set[str] = set()
    for path, item in document["paths"].items():
        for operation in item.values():
            answers = operation.pop("responses")
            in_json = [answer.get("content", {}).get("application/json", {}) for answer in answers.values()]
            (in_responses if path.startswith("/v1/") else elsewhere).update(_names(document, in_json))
            elsewhere.update(_names(document, operation))
            operation["responses"] = answers
    for name in in_responses - elsewhere:
        model = document["components"]["schemas"][name]
        if name in _ALWAYS_SET:
            model["required"] = [*model.get("required", ()), *_ALWAYS_SET[name]]
        kept = {*model.get("required", ()), *_MAY_BE_NULL.get(name, ())}
        for field, schema in model.get("properties", {}).items():
            if field not in kept:
                _drop_null(schema)


def _drop_null(schema: JsonObject) -> None:
    if (kinds := schema.pop("anyOf", None)) is not None:
        kinds = [kind for kind in kinds if kind != {"type": "null"}]
        schema.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _names(document: JsonObject, node: Any) -> set[str]:
    """Names of the schemas that the node refers to, directly or through others."""
    found: set[str] = set()
    waiting = list(_references(node))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(document["components"]["schemas"][name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            yield reference.removeprefix(_REFERENCE)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
