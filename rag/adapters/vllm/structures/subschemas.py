"""The schemas within a JSON schema, and where they are."""

from __future__ import annotations

from collections.abc import Iterator

from rag.types import JsonObject

MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value maps names to schemas."""
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_SINGLE = frozenset(
    {"items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else",
     "unevaluatedItems", "unevaluatedProperties", "contentSchema"}
)  # fmt: skip


def children(schema: JsonObject) -> Iterator[tuple[str, object]]:
    """The schemas directly within a schema, with their places as JSON pointers. They may be anything."""
    for keyword, value in schema.items():
        if keyword in MAPS and isinstance(value, dict):
            yield from ((f"/{keyword}/{escaped(name)}", part) for name, part in value.items())
        elif keyword in _LISTS and isinstance(value, list):
            yield from ((f"/{keyword}/{index}", part) for index, part in enumerate(value))
        elif keyword in _SINGLE:
            yield f"/{keyword}", value


def all_objects(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The schema and all schemas within it that are objects. Not recursive: it may be deeper than Python's stack."""
    left: list[tuple[str, object]] = [("#", schema)]
    while left:
        place, part = left.pop()
        if isinstance(part, dict):
            yield place, part
            left += [(place + below, child) for below, child in children(part)]


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def resolved(reference: object, root: JsonObject) -> object:
    """What a reference such as `#/$defs/A` points to; None if it does not point into the schema."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: object = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict):
            found = found.get(name)
        else:
            return None
    return found if reference in ("#", "#/") or "/" in reference else None
