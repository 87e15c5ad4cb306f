"""pydantic models as components of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from rag.http.openapi.operation import Model
from rag.http.openapi.schema_overrides import BY_NAME, EXACTLY_ONE, EXAMPLES, FIELDS, IN_ONE, WORDS
from rag.types import JsonObject

Mode: TypeAlias = Literal["validation", "serialization"]
"""Of what comes in, and of what goes out."""
_PLACE = "#/components/schemas/"


class _WithoutTitles(GenerateJsonSchema):
    """Titles of fields only say their names again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class Schemas:
    """All schemas of a document, each once under a name of its own."""

    def __init__(self, models: Iterable[tuple[Model, Mode]]) -> None:
        wanted: Any = list(dict.fromkeys(models))
        found, generated = models_json_schema(wanted, ref_template=_PLACE + "{model}", schema_generator=_WithoutTitles)
        self._found: Any = {model: _shortened(reference) for model, reference in found.items()}
        named = {_short(name): _shortened(schema) for name, schema in generated.get("$defs", {}).items()}
        self.components: JsonObject = {**{name: _told(name, one) for name, one in named.items()}, **WORDS}

    def of(self, model: Model, mode: Mode) -> JsonObject:
        """A reference to the model's schema."""
        return dict(self._found[(model, mode)])


def _short(name: str) -> str:
    """Of models whose names are there twice pydantic tells the whole module: its last part is enough."""
    *_, module, model = name.rpartition("__")[0].rpartition("__")[2], name.rpartition("__")[2]
    return "".join(part.title() for part in module.split("_")) + model if module else name


def _shortened(node: Any) -> Any:
    if isinstance(node, list):
        return [_shortened(item) for item in node]
    if not isinstance(node, dict):
        return node
    short = {key: _shortened(value) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        short["$ref"] = _PLACE + _short(node["$ref"].removeprefix(_PLACE))
    return short


def _told(name: str, schema: Any) -> JsonObject:
    """A component, with what only the code knows of it."""
    told: JsonObject = {**_spelt_out(schema, {**BY_NAME, **IN_ONE.get(name, {})}), **_exactly_one(name)}
    if name in FIELDS:
        told["properties"] = {**told["properties"], **FIELDS[name]}
    if name in EXAMPLES:
        told.setdefault("example", EXAMPLES[name])
    return told


def _spelt_out(node: Any, words: Mapping[str, str]) -> Any:
    """Objects that the code takes as `dict[str, Any]` and checks itself get the schemas that they are checked by."""
    if isinstance(node, list):
        return [_spelt_out(item, words) for item in node]
    if not isinstance(node, dict):
        return node
    spelt = {key: _spelt_out(value, words) for key, value in node.items() if key != "root_input"}
    if isinstance(node.get("properties"), dict):
        spelt["properties"] = {name: _field(value, words.get(name)) for name, value in spelt["properties"].items()}
    return spelt


def _exactly_one(name: str) -> JsonObject:
    fields = EXACTLY_ONE.get(name, ())
    there = [{"required": [field], "properties": {field: {"not": {"type": "null"}}}} for field in fields]
    return {"oneOf": there} if there else {}


def _field(schema: Any, word: str | None) -> Any:
    if word is None or not isinstance(schema, dict):
        return schema
    reference = {"$ref": _PLACE + word}
    if "anyOf" in schema:
        return {**schema, "anyOf": [reference if _is_any_object(one) else one for one in schema["anyOf"]]}
    if _is_any_object(schema):
        kept = {key: value for key, value in schema.items() if key not in ("type", "additionalProperties")}
        return {**kept, **reference}
    return schema


def _is_any_object(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object" and schema.get("additionalProperties") is True
