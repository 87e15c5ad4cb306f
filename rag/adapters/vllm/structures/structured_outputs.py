"""Structured outputs: builds vLLM's parameters, and refuses what its backend would not enforce."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rag.adapters.vllm.structures import json_schemas, lark, xgrammar_schemas
from rag.adapters.vllm.structures.gbnf import to_lark
from rag.adapters.vllm.structures.matcher import GrammarRefused, TextMatcher, refusal_of, schema_grammar, white_space
from rag.adapters.vllm.structures.structural_tags import tag_to_lark
from rag.adapters.vllm.structures.xgrammar_schemas import PARAM
from rag.errors import InvalidRequest
from rag.types import JsonObject

if TYPE_CHECKING:
    from vllm.config import StructuredOutputsConfig
    from vllm.sampling_params import StructuredOutputsParams


@dataclass(frozen=True, slots=True)
class Structure:
    """The constraint on a text."""

    params: StructuredOutputsParams
    matcher: TextMatcher | None = None
    """Compares complete texts, where the engine does not report that a text could not be completed."""


def structure_of(structured: Mapping[str, Any], config: StructuredOutputsConfig) -> Structure:
    """vLLM's parameters of structured outputs.

    Args:
        structured: Fields of StructuredOutputsParams.
        config: Of the engine.

    Raises:
        InvalidRequest: the backend cannot enforce the structure.
    """
    from vllm.sampling_params import StructuredOutputsParams, check_json_nesting

    values = dict(structured)
    if isinstance(tag := values.get("structural_tag"), dict):  # vLLM takes it as text only
        values["structural_tag"] = json.dumps(tag)
    check_json_nesting(values.get("json"))
    check_json_nesting(values.get("structural_tag"), structural_tag=True)
    if config.backend == "guidance":
        return _for_guidance(values, config)
    if config.backend == "xgrammar":
        xgrammar_schemas.check(values)
    return Structure(StructuredOutputsParams(**values))


def _for_guidance(values: dict[str, Any], config: StructuredOutputsConfig) -> Structure:
    from vllm.sampling_params import StructuredOutputsParams
    from vllm.v1.structured_output.backend_guidance import serialize_guidance_grammar
    from vllm.v1.structured_output.request import get_structured_output_key

    compact, closed = config.disable_any_whitespace, config.disable_additional_properties
    kind = next((name for name, value in values.items() if value is not None), "")
    schemas = _Schemas(compact=compact, closed=closed)
    try:
        params = StructuredOutputsParams(**_translated(values, schemas))
        grammar = serialize_guidance_grammar(*get_structured_output_key(params), compact, closed)
        return Structure(params, TextMatcher(grammar))
    except GrammarRefused as refused:
        reason = schemas.refusal() or str(refused)
        raise InvalidRequest(f"{PARAM}: {kind}: {reason}"[:500], param=PARAM) from refused
    except (ValueError, json_schemas.SchemaRefused) as error:
        raise InvalidRequest(f"{PARAM}: {kind}: {error}"[:500], param=PARAM) from error


def _translated(values: dict[str, Any], schemas: _Schemas) -> dict[str, Any]:
    """The fields in the forms that llguidance reads."""
    match values:
        case {"json": schema} if schema is not None:
            return {**values, "json": json.dumps(schemas.with_options(schema))}
        case {"json_object": True}:
            return {**values, "json_object": None, "json": json.dumps(schemas.with_options({"type": "object"}))}
        case {"choice": [_, *_] as choice}:
            return {**values, "choice": None, "grammar": lark.any_of(choice)}
        case {"grammar": str(grammar)} if grammar.strip():
            return {**values, "grammar": to_lark(grammar) if "::=" in grammar else lark.from_lark(grammar)}
        case {"structural_tag": str(tag)}:
            parsed = json.loads(tag)
            if not isinstance(parsed, dict):
                raise ValueError("must be an object")
            return {**values, "structural_tag": None, "grammar": tag_to_lark(parsed, schemas.text)}
    return values


@dataclass(slots=True)
class _Schemas:
    """The JSON schemas of a request."""

    compact: bool
    closed: bool
    """Whether objects have only the properties that their schema lists, unless it says otherwise."""
    read: list[object] = field(default_factory=list)

    def prepared(self, schema: object) -> JsonObject:
        self.read.append(schema)
        return json_schemas.prepared(schema)

    def text(self, schema: object) -> str:
        """A schema within a grammar."""
        return json.dumps(self._closed(self.with_options(schema)))

    def with_options(self, schema: object) -> JsonObject:
        return {**self.prepared(schema), "x-guidance": white_space(compact=self.compact)}

    def refusal(self) -> str:
        """Why llguidance refuses the first schema that it refuses; empty if it refuses none."""
        for schema in self.read:
            parsed = json_schemas.parsed(schema)
            if reason := self._refusal(parsed):
                return json_schemas.located(parsed, reason, self._refusal)
        return ""

    def _refusal(self, schema: JsonObject) -> str:
        try:
            return refusal_of(schema_grammar(self._closed(json_schemas.prepared(schema)), compact=self.compact))
        except (ValueError, json_schemas.SchemaRefused) as error:
            return str(error)

    def _closed(self, schema: JsonObject) -> JsonObject:
        from vllm.v1.structured_output.backend_guidance import process_for_additional_properties

        return process_for_additional_properties(schema) if self.closed else schema
