"""JSON as people write it: several values one after the other, comments, trailing commas, unquoted keys."""

from __future__ import annotations

import json
import re
from typing import NamedTuple, TypeAlias

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"


class WrittenNumber(float):
    """A number with the digits of the file: 1.10 may be a version, and 2.50 a price."""

    def __new__(cls, text: str) -> WrittenNumber:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


_DECODER = json.JSONDecoder(parse_float=WrittenNumber)
_SPACE = re.compile(r"[\s\x1e]*")  # U+001E begins the records of a JSON text sequence
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_RELAXED = re.compile(
    rf"{_STRING}|(?P<comment>//[^\n]*|/\*.*?\*/)|'(?P<single>(?:[^'\\\n]|\\.)*)'"
    r"|(?P<key>(?<=[{,\s])[A-Za-z_$][\w$]*)(?=\s*:)",
    re.DOTALL,
)
_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


class RelaxedJson(NamedTuple):
    """The value of JSON with comments."""

    value: JsonValue
    comments: int


def parsed(text: str) -> JsonValue:
    """The value of JSON text. Raises ValueError if it is not JSON, RecursionError if it is nested too deeply."""
    value: JsonValue = json.loads(text, parse_float=WrittenNumber)
    return value


def sequence(text: str) -> list[JsonValue] | None:
    """The values of a text that consists of several JSON objects or lists; None if it does not."""
    values: list[JsonValue] = []
    position = _end_of_space(text, 0)
    while position < len(text):
        if text[position] not in "{[":
            return None
        try:
            value, position = _DECODER.raw_decode(text, position)
        except ValueError:
            return None
        values.append(value)
        position = _end_of_space(text, position)
    return values if len(values) > 1 else None


def relaxed(text: str) -> RelaxedJson | None:
    """The value of JSON with comments, trailing commas, single quotes or unquoted keys; None for any other text."""
    comments = sum(match["comment"] is not None for match in _RELAXED.finditer(text))
    strict = _TRAILING_COMMA.sub(lambda match: match[1] or "", _RELAXED.sub(_strict, text))
    try:
        value = parsed(strict)
    except ValueError:
        return None
    return RelaxedJson(value, comments) if isinstance(value, dict | list) else None


def _strict(match: re.Match[str]) -> str:
    if match["comment"]:
        return " "
    if match["key"]:
        return f'"{match["key"]}"'
    if match["single"] is not None:
        return json.dumps(match["single"].replace("\\'", "'"), ensure_ascii=False).replace("\\\\", "\\")
    return match[0]


def _end_of_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
