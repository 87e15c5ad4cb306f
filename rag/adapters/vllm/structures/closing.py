"""Closes the objects of a JSON schema: no properties are written that it does not describe.

JSON Schema allows them unless it says otherwise, but clients do not expect them, and small models would write one after
another until their tokens end. Where schemas are combined for one value, a property that one of them does not describe
may be another's, so such a schema stays as it is.
"""

from __future__ import annotations

from rag.adapters.vllm.structures.subschemas import all_objects
from rag.types import JsonObject

_COMBINING = frozenset({"allOf", "not", "if", "dependentSchemas"})
_ALTERNATIVES = frozenset({"$ref", "anyOf", "oneOf"})
_OPENING = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties"})
_OF_OBJECTS = _OPENING | {"properties", "required"}


def close_objects(root: JsonObject) -> None:
    """Set `additionalProperties` to false where it is left out, if no two schemas of `root` apply to one value."""
    parts = [part for _, part in all_objects(root)]
    if any(_combines(part) for part in parts):
        return
    for part in parts:
        described, required = part.get("properties"), part.get("required", [])
        if (
            isinstance(described, dict)
            and isinstance(required, list)
            and not part.keys() & _OPENING
            and all(isinstance(name, str) and name in described for name in required)
        ):
            part["additionalProperties"] = False


def _combines(part: JsonObject) -> bool:
    return bool(part.keys() & _COMBINING) or (
        bool(part.keys() & _ALTERNATIVES) and (len(part.keys() & _ALTERNATIVES) > 1 or bool(part.keys() & _OF_OBJECTS))
    )
