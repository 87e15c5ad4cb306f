"""What a text must be -> vLLM's object, and what its compiler would leave out silently."""

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
"""Keywords of JSON Schema that xgrammar reads over: its text would not follow them."""
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords whose values are schemas by names of the user's choice."""
_OTHER_WAY = 'RAG_LLM__ENGINE__STRUCTURED_OUTPUTS_CONFIG={"backend": "guidance"} is another compiler'


def structure_of(structured: Mapping[str, Any], compiler: str) -> StructuredOutputsParams:
    """Args:
        compiler: That vLLM is set to, such as xgrammar.

    Raises:
        InvalidRequest: the text would not follow it.
    """
    from vllm.sampling_params import StructuredOutputsParams

    values = dict(structured)
    if isinstance(tag := values.get("structural_tag"), dict):  # vLLM takes it as text alone
        values["structural_tag"] = json.dumps(tag)
    if compiler == "xgrammar" and (schema := values.get("json")) is not None:
        check_schema(schema)
    return StructuredOutputsParams(**values)


def check_schema(schema: str | Mapping[str, Any]) -> None:
    """Raises InvalidRequest: it has a keyword that the text would not follow."""
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError):
            raise InvalidRequest(f"{PARAM}: json is not JSON", param=PARAM) from None
    for part in _parts(schema):
        if wrong := sorted(_UNSUPPORTED_KEYWORDS & part.keys()):
            raise InvalidRequest(f"{PARAM}: json: {wrong[0]!r} cannot be compiled; {_OTHER_WAY}", param=PARAM)
        reference = part.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise InvalidRequest(f"{PARAM}: json: $ref may point into the schema alone", param=PARAM)


def _parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """The schema and all inside it. It keeps a list of its own, as a schema may be nested deeper than Python goes."""
    left: list[Any] = [schema]
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
