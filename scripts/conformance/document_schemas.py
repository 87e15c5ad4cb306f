"""JSON schemas of an OpenAPI document, with references, `allOf` and unions resolved one level at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
ANY = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
"""The types of a schema that names none."""


@dataclass(frozen=True, slots=True)
class Form:
    """One alternative of a schema."""

    types: frozenset[str] = ANY
    values: frozenset[Any] | None = None
    """The admitted values; None: any of the types."""
    properties: Mapping[str, Schema] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Schema | None = None
    extra: Schema | None = None
    """Schema of the properties without a name, such as those of a map."""


class Document:
    """An OpenAPI document whose references are followed by name."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object that a chain of references ends at."""
        while "$ref" in node:
            target: Any = self.content
            for step in str(node["$ref"]).removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def forms(self, schema: Schema) -> Sequence[Form]:
        """The alternatives of the schema: those of its unions, each merged with what stands beside the union."""
        return [_form(flat) for flat in self._flat(schema, ())]

    def references(self, schema: Schema) -> Iterator[str]:
        """Names of the schemas that this one consists of, through unions and arrays, but not through properties."""
        if "$ref" in schema:
            yield schema["$ref"]
            return
        for keyword in ("anyOf", "oneOf", "allOf"):
            for part in schema.get(keyword, ()):
                yield from self.references(part)
        if isinstance(schema.get("items"), Mapping):
            yield from self.references(schema["items"])

    def _flat(self, schema: Schema, seen: tuple[str, ...]) -> list[dict[str, Any]]:
        if "$ref" in schema:
            name = schema["$ref"]
            return [] if name in seen else self._flat(self.resolve(schema), (*seen, name))
        own = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf")}
        merged = [own]
        for part in schema.get("allOf", ()):
            merged = [_merge(one, other) for one in merged for other in self._flat(part, seen)]
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                choices = [flat for part in schema[keyword] for flat in self._flat(part, seen)]
                merged = [_merge(one, other) for one in merged for other in choices]
        return merged


def _merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both together; where both say something of one keyword, `other` is the narrower one."""
    merged = {**one, **other}
    if "properties" in one or "properties" in other:
        merged["properties"] = {**one.get("properties", {}), **other.get("properties", {})}
        merged["required"] = [*one.get("required", ()), *other.get("required", ())]
    if one.get("nullable") and "type" in other:
        merged["nullable"] = True
    return merged


def _form(flat: Mapping[str, Any]) -> Form:
    values = flat.get("enum")
    if "const" in flat:
        values = [flat["const"]]
    extra = flat.get("additionalProperties")
    return Form(
        types=_types(flat, values),
        values=None if values is None else frozenset(value for value in values if value is not None),
        properties=flat.get("properties", {}),
        required=frozenset(flat.get("required", ())),
        items=flat.get("items") if isinstance(flat.get("items"), Mapping) else None,
        extra=extra if isinstance(extra, Mapping) and extra else None,
    )


def _types(flat: Mapping[str, Any], values: Sequence[Any] | None) -> frozenset[str]:
    named = flat.get("type")
    if named is None:
        types = {_type_of(value) for value in values} if values else set()
        types |= {"object"} if "properties" in flat else set()
        types |= {"array"} if "items" in flat else set()
    else:
        types = {named} if isinstance(named, str) else set(named)
    if types and (flat.get("nullable") or (values and None in values)):
        types.add("null")
    return frozenset(types) or ANY


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", list: "array"}
    return names.get(type(value), "object")
