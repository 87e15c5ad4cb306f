"""`oneOf` as `anyOf`, where at most one of the schemas can match.

llguidance proves that only for simple schemas. The unions of pydantic and of OpenAPI, whose schemas are references with
a property that tells them apart, are not among them (docs/bentoml_issues.md#v14).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rag.adapters.vllm.structures.subschemas import resolved
from rag.types import JsonObject

_MAX_REFERENCES = 8


def as_any_of(schemas: Sequence[object], root: JsonObject) -> list[object] | None:
    """Schemas of which one matches exactly what one of these matches, or a part of it. None if several may match.

    Args:
        root: The schema into which references point.
    """
    if _are_apart([_values(schema, root) for schema in schemas]):
        return list(schemas)
    names = [_properties(schema, root) for schema in schemas]
    if not names or not all(_is_object(schema, root) for schema in schemas):
        return None
    for name in names[0]:
        if all(name in each for each in names) and _are_apart([_values(each[name], root) for each in names]):
            return [{"allOf": [schema, {"required": [name]}]} for schema in schemas]
    return None


def _are_apart(values: Sequence[Sequence[object] | None]) -> bool:
    """Whether all values are known, and none belongs to two schemas."""
    known = [{_key(value) for value in each} for each in values if each]
    return len(known) == len(values) and all(a.isdisjoint(b) for a, b in itertools.combinations(known, 2))


def _key(value: object) -> object:
    """True and 1 differ in JSON, 1 and 1.0 do not."""
    return (isinstance(value, bool), value)


def _values(schema: object, root: JsonObject) -> list[object] | None:
    """The texts, numbers and other scalars that can match; None if they are not listed."""
    for part in _with_references(schema, root):
        listed = [part["const"]] if "const" in part else part.get("enum")
        if isinstance(listed, list) and not any(isinstance(value, dict | list) for value in listed):
            return listed
    return None


def _properties(schema: object, root: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for part in _with_references(schema, root):
        if isinstance(properties := part.get("properties"), dict):
            found = {**properties, **found}
    return found


def _is_object(schema: object, root: JsonObject) -> bool:
    return any(part.get("type") == "object" for part in _with_references(schema, root))


def _with_references(schema: object, root: JsonObject) -> Iterator[JsonObject]:
    for _ in range(_MAX_REFERENCES):
        if not isinstance(schema, dict):
            return
        yield schema
        schema = resolved(schema.get("$ref"), root)
