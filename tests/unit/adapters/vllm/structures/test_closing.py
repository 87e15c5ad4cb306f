"""Properties that a schema does not describe are not written, if that leaves every described value possible."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rag.adapters.vllm.structures.closing import close_objects

POINT: Any = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
CLOSED: Any = {**POINT, "additionalProperties": False}


def closed(schema: Any) -> Any:
    changed = copy.deepcopy(schema)
    close_objects(changed)
    return changed


def test_objects_anywhere_are_closed() -> None:
    schema = {"properties": {"a": POINT, "b": {"anyOf": [POINT, {"type": "null"}]}, "c": {"$ref": "#/$defs/p"}}}
    expected = {"properties": {"a": CLOSED, "b": {"anyOf": [CLOSED, {"type": "null"}]}, "c": {"$ref": "#/$defs/p"}}}
    assert closed({**schema, "$defs": {"p": POINT}}) == {
        **expected,
        "$defs": {"p": CLOSED},
        "additionalProperties": False,
    }


def test_an_object_without_properties_is_closed() -> None:
    """The arguments of a function that has none."""
    assert closed({"type": "object", "properties": {}})["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {**POINT, "additionalProperties": True},
        {**POINT, "additionalProperties": {"type": "string"}},
        {**POINT, "patternProperties": {"^y": {}}},
        {**POINT, "required": ["x", "y"]},
        {"allOf": [POINT, {"type": "object", "properties": {"y": {}}}]},
        {"properties": {"y": {}}, "anyOf": [POINT, {"required": ["y"]}]},
        {"$ref": "#/$defs/p", "properties": {"y": {}}, "$defs": {"p": POINT}},
        {"$ref": "#/$defs/p", "anyOf": [{"properties": {"y": {}}}], "$defs": {"p": POINT}},
    ],
)
def test_what_may_have_others_stays_open(schema: Any) -> None:
    assert closed(schema) == schema
