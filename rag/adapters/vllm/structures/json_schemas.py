"""JSON schemas for llguidance, as vLLM's backend `guidance` compiles them.

llguidance refuses what it cannot enforce, with few exceptions, and says why, but not where. So schemas are changed
into ones with the same meaning, as far as it would refuse them without need, and the rest is refused with its place
(docs/bentoml_issues.md#v14).
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from rag.adapters.vllm.structures.closing import close_objects
from rag.adapters.vllm.structures.disjoint import as_any_of
from rag.adapters.vllm.structures.subschemas import all_objects
from rag.types import JsonObject

FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid", "unknown"}
)
"""Formats that llguidance enforces. In JSON Schema a format is a note, so that others have no effect."""
MAX_ITEMS = 20_000
"""Of all limits on the numbers of items and properties in a schema together. Compiling takes 50 ms for so many."""
MAX_MULTIPLE = 10_000
"""Of the least common multiple of all `multipleOf`, without their decimal points. Compiling takes 0.1 s for it."""
_LOCATING_S = 0.1
_COUNTS = ("minItems", "maxItems", "minProperties", "maxProperties")
_IN_PLACE = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"})
"""Keywords with further schemas for the same value."""
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_STEP = 1e-6
_SMALLEST = -(2**63) + 2**12
_NO_EFFECT: Mapping[str, Callable[[object], bool]] = {
    "uniqueItems": lambda value: value is False,
    "unevaluatedItems": lambda value: value in (True, {}),
    "unevaluatedProperties": lambda value: value in (True, {}),
    "propertyNames": lambda value: value in (True, {}, {"type": "string"}),
    "format": lambda value: isinstance(value, str) and value not in FORMATS,
}
"""Keywords that llguidance refuses although they allow everything."""


class SchemaRefused(Exception):
    """A keyword cannot be enforced.

    Args:
        place: JSON pointer of the schema that has the keyword.
    """

    def __init__(self, keyword: str, place: str, reason: str) -> None:
        super().__init__(f"the keyword {keyword!r} at {place} is not supported: {reason}")


def prepared(schema: object) -> JsonObject:
    """The schema for llguidance. Every text that it allows, the given schema allows.

    Args:
        schema: A schema, or its text.

    Raises:
        SchemaRefused: a keyword is not supported.
        ValueError: this is no schema, or no value can match it.
    """
    root = parsed(schema)
    for place, part in all_objects(root):
        _refuse(part, place)
        for keyword, has_none in _NO_EFFECT.items():
            if keyword in part and has_none(part[keyword]):
                del part[keyword]
        _rewrite(part, place, root)
    _check_costs(root)
    _open_ranges(root)
    close_objects(root)
    return root


def located(schema: JsonObject, reason: str, refusal: Callable[[JsonObject], str]) -> str:
    """Why a schema is refused, with the keyword and its place if they are found in time.

    Args:
        reason: Why llguidance refuses the whole.
        refusal: Returns why llguidance refuses a schema; empty if it does not.
    """
    deadline = time.monotonic() + _LOCATING_S
    shared: JsonObject = {name: schema[name] for name in ("$defs", "definitions", "$id", "$schema") if name in schema}
    place, found = "#", schema
    for inner, part in all_objects(schema):
        if time.monotonic() > deadline:
            return reason
        if inner.startswith(f"{place}/") and refusal({**shared, **part}) == reason:
            place, found = inner, part
    for keyword in found:
        rest = {name: value for name, value in {**shared, **found}.items() if name != keyword}
        if keyword not in shared and refusal(rest) != reason:
            return str(SchemaRefused(keyword, place, reason))
    return reason if place == "#" else f"{place}: {reason}"


def parsed(schema: object) -> JsonObject:
    """A copy of a schema, which may be given as text. Raises ValueError if this is no schema."""
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError):
            raise ValueError("is not JSON") from None
    if schema is True:
        return {}
    if schema is False:
        raise ValueError("no text can match the schema false")
    if not isinstance(schema, dict):
        raise ValueError("must be a JSON schema: an object or true")
    return copy.deepcopy(schema)


def _refuse(part: JsonObject, place: str) -> None:
    if "x-guidance" in part:
        raise SchemaRefused("x-guidance", place, "options of the compiler are not for requests")
    reference = part.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        raise SchemaRefused("$ref", place, "$ref may only point into the schema")
    required = part.get("required")
    count = len({*map(str, required)}) if isinstance(required, list) else 0
    if isinstance(least := part.get("minProperties"), int):
        if least > count:  # other properties may be written twice, which makes them one
            raise SchemaRefused("minProperties", place, "it is only enforced up to the number of required properties")
        del part["minProperties"]


def _rewrite(part: JsonObject, place: str, root: JsonObject) -> None:
    if "propertyNames" in part:
        _rewrite_property_names(part, place)
    if not _IN_PLACE & part.keys():
        if part.get("unevaluatedProperties") is False:
            del part["unevaluatedProperties"]
            part.setdefault("additionalProperties", False)
        if part.get("unevaluatedItems") is False:
            del part["unevaluatedItems"]
            part.setdefault("items", False)
    schemas = part.get("oneOf")
    if isinstance(schemas, list) and "anyOf" not in part and (rewritten := as_any_of(schemas, root)) is not None:
        del part["oneOf"]
        part["anyOf"] = rewritten
    if isinstance(least := part.get("minimum"), int) and least < _SMALLEST:
        part["minimum"] = _SMALLEST  # llguidance fails at the smallest number of 64 bits, which generators write


def _rewrite_property_names(part: JsonObject, place: str) -> None:
    """As `properties` or `patternProperties`, if the names are the only restriction."""
    names, others = part["propertyNames"], part.get("additionalProperties", True)
    pattern = _pattern_of(names) if isinstance(names, dict) else None
    listed = names.get("enum") if isinstance(names, dict) else None
    if part.keys() & {"properties", "patternProperties"} or (pattern is None and not isinstance(listed, list)):
        reason = "only alone, and with one of enum, pattern, and minLength and maxLength"
        raise SchemaRefused("propertyNames", place, reason)
    del part["propertyNames"]
    if pattern is None:
        part["properties"] = {name: copy.deepcopy(others) for name in listed or () if isinstance(name, str)}
    else:
        part["patternProperties"] = {pattern: others}
    part["additionalProperties"] = False


def _pattern_of(names: JsonObject) -> str | None:
    """A regular expression for names of properties; None if their schema has other keywords."""
    keywords = {keyword for keyword in names if keyword not in ("type", "title", "description")}
    if names.get("type", "string") != "string":
        return None
    if keywords == {"pattern"} and isinstance(names["pattern"], str):
        return names["pattern"]
    lengths = [names.get("minLength", 0), names.get("maxLength", "")]
    if keywords and keywords <= {"minLength", "maxLength"} and all(isinstance(n, int) or n == "" for n in lengths):
        return rf"^[\s\S]{{{lengths[0]},{lengths[1]}}}$"
    return None


def _open_ranges(root: JsonObject) -> None:
    """Move excluded integers a little, because llguidance includes them in a range between two integers such as
    `exclusiveMinimum: 0, maximum: 0.5`. The limits may be in different schemas, so all of them are moved.
    """
    parts = [part for _, part in all_objects(root)]
    if all(_is_integral(part.get(limit)) for part in parts for limit in _LIMITS):
        return
    for part in parts:
        for limit, step in (("exclusiveMinimum", _STEP), ("exclusiveMaximum", -_STEP)):
            if (
                isinstance(number := part.get(limit), int | float)
                and not isinstance(number, bool)
                and _is_integral(number)
            ):
                part[limit] = number + step


def _is_integral(number: object) -> bool:
    """Also for what is no number."""
    return not isinstance(number, float) or number.is_integer()


def _check_costs(root: JsonObject) -> None:
    """llguidance compiles some numbers into automata of that size, for seconds."""
    items, multiple = 0, 1
    for place, part in all_objects(root):
        for keyword in _COUNTS:
            items += count if isinstance(count := part.get(keyword), int) and count > 0 else 0
            if items > MAX_ITEMS:
                raise SchemaRefused(keyword, place, f"all such limits together may be at most {MAX_ITEMS:,}")
        multiple = math.lcm(multiple, _digits(part.get("multipleOf")))
        if multiple > MAX_MULTIPLE:
            raise SchemaRefused("multipleOf", place, "the number has too many digits, or too many differ")


def _digits(number: Any) -> int:
    """The number without its decimal point; 1 if it is none."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number) or number <= 0:
        return 1
    decimal = Decimal(str(number))
    _, _, exponent = decimal.as_tuple()
    assert isinstance(exponent, int), "the number is finite"
    return max(int(decimal.scaleb(-exponent)) if exponent < 0 else int(decimal), 1)
