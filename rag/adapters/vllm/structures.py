"""Structured outputs: builds vLLM's parameters, and refuses schemas that its backend would ignore in part."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rag.errors import InvalidRequest

if TYPE_CHECKING:
    from vllm.sampling_params import StructuredOutputsParams

PARAM = "structured_outputs"
_UNSUPPORTED_KEYWORDS = frozenset(
    {"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "$dynamicRef"}
)
"""Keywords of JSON Schema that xgrammar ignores (docs/bentoml_issues.md#v6)."""
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose value maps names to schemas."""
_OTHER_BACKEND = 'RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG={"backend": "guidance"} sets another backend'


def structure_of(structured: Mapping[str, Any], backend: str) -> StructuredOutputsParams:
    """vLLM's parameters of structured outputs.

    Args:
        structured: Fields of StructuredOutputsParams.
        backend: The backend that vLLM is configured for, such as xgrammar.

    Raises:
        InvalidRequest: the backend cannot enforce the structure.
    """
    from vllm.sampling_params import StructuredOutputsParams

    values = dict(structured)
    if isinstance(tag := values.get("structural_tag"), dict):  # vLLM takes it as text only
        values["structural_tag"] = json.dumps(tag)
    if backend == "xgrammar":
        for schema in (values.get("json"), *_schemas_of_tag(values.get("structural_tag"))):
            if schema is not None:
                check_schema(schema)
    return StructuredOutputsParams(**values)


def _schemas_of_tag(tag: object) -> list[object]:
    """The schemas of a structural tag in the form that all of vLLM's backends know; vLLM refuses what is not JSON."""
    try:
        parsed = json.loads(tag) if isinstance(tag, str) else None
    except (ValueError, RecursionError):
        return []
    structures = parsed.get("structures") if isinstance(parsed, dict) else None
    return [part.get("schema") for part in structures or () if isinstance(part, dict)]


def check_schema(schema: object) -> None:
    """Raise InvalidRequest if the schema has a keyword that the backend ignores."""
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError):
            raise InvalidRequest(f"{PARAM}: json is not JSON", param=PARAM) from None
    for part in _parts(schema):
        if wrong := sorted(_UNSUPPORTED_KEYWORDS & part.keys()):
            raise InvalidRequest(
                f"{PARAM}: json: the keyword {wrong[0]!r} is not supported; {_OTHER_BACKEND}", param=PARAM
            )
        reference = part.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise InvalidRequest(f"{PARAM}: json: $ref may only point into the schema", param=PARAM)


def _parts(schema: object) -> Iterator[Mapping[str, object]]:
    """The schema and all its subschemas. Not recursive, since a schema may be nested deeper than Python's stack."""
    left: list[object] = [schema]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        if not isinstance(part, dict):
            continue
        yield part
        for keyword, value in part.items():
            if keyword in _SCHEMA_MAPS and isinstance(value, dict):
                left += value.values()
            elif keyword not in ("const", "enum", "default", "examples"):
                left.append(value)
