"""JSON schemas for xgrammar, which ignores some keywords (docs/bentoml_issues.md#v6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rag.adapters.vllm.structures.subschemas import all_objects
from rag.errors import InvalidRequest

PARAM = "structured_outputs"
_UNSUPPORTED_KEYWORDS = frozenset(
    {"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "$dynamicRef"}
)
_OTHER_BACKEND = "the backend guidance, the default of RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG, may support it"


def check(values: Mapping[str, Any]) -> None:
    """Raise InvalidRequest if a schema has a keyword that xgrammar ignores.

    Args:
        values: Fields of vLLM's StructuredOutputsParams.
    """
    for schema in (values.get("json"), *_schemas_of_tag(values.get("structural_tag"))):
        if schema is not None:
            check_schema(schema)


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
    for place, part in all_objects(schema) if isinstance(schema, dict) else ():
        if wrong := sorted(_UNSUPPORTED_KEYWORDS & part.keys()):
            raise InvalidRequest(
                f"{PARAM}: json: the keyword {wrong[0]!r} at {place} is not supported; {_OTHER_BACKEND}", param=PARAM
            )
        reference = part.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise InvalidRequest(f"{PARAM}: json: $ref may only point into the schema", param=PARAM)
