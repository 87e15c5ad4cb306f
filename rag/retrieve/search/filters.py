"""Compiles OpenAI's filters to a Milvus expression template.

Values are never part of the template: it holds placeholders `{v0}`, `{v1}`, ... and the values are passed separately.
Keys are part of it, so only keys of safe characters are accepted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import regex

from rag.errors import InvalidFilter

Scalar: TypeAlias = str | int | float | bool
Operand: TypeAlias = Scalar | list[Scalar]

MAX_DEPTH = 8
MAX_CLAUSES = 64
MAX_LIST_VALUES = 256
MAX_VALUES = 1024
"""In all lists of a filter together: each is a comparison for each passage."""
MAX_STRING_CHARS = 4096
SPECIAL_KEYS = ("filename", "file_id")
"""Keys that refer to a field of the chunk instead of one of its attributes."""

_SAFE_KEY = regex.compile(r"[\p{L}\p{M}\p{N}_. -]{1,64}")
KEY_RULE = "must be 1 to 64 letters, digits, spaces, dots, dashes or underscores"
_OPERATORS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_ORDERED = ("gt", "gte", "lt", "lte")
_LISTS = ("in", "nin")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
_INT64_MAX = 2**63 - 1


class CompiledFilter(NamedTuple):
    expression: str
    params: dict[str, Operand]


def compile_filters(filters: Mapping[str, object]) -> CompiledFilter:
    """The expression template and its parameters.

    A comparison matches only chunks that have the key, also with `ne` and `nin`.

    Raises:
        InvalidFilter: not OpenAI's schema, an unsafe key, a value of the wrong type, nested too deeply or too long.
    """
    compiler = _Compiler()
    expression = compiler.node(filters, depth=1)
    return CompiledFilter(expression, compiler.params)


def with_literals(compiled: CompiledFilter) -> str:
    """The expression with its parameters as literals: Milvus Lite has no templates."""
    return re.sub(r"\{(v\d+)\}", lambda match: milvus_literal(compiled.params[match[1]]), compiled.expression)


def milvus_literal(value: Operand) -> str:
    """A value in Milvus's expression language.

    A string literal ends at its quote, and may contain anything but a bare backslash or line break. With those four
    characters escaped, no value can break out of it.
    """
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, list):
        return f"[{', '.join(milvus_literal(item) for item in value)}]"
    return str(value).lower()


def is_safe_key(key: str) -> bool:
    """Whether a key can be a part of an expression: none of its characters ends a string or starts an escape."""
    return _SAFE_KEY.fullmatch(key) is not None


class _Compiler:
    def __init__(self) -> None:
        self.params: dict[str, Operand] = {}
        self._clauses = 0
        self._values = 0

    def node(self, node: object, depth: int) -> str:
        if not isinstance(node, Mapping):
            raise _invalid("a filter must be an object with a `type`")
        if depth > MAX_DEPTH:
            raise _invalid(f"filters may be nested at most {MAX_DEPTH} levels deep")
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise _invalid(f"filters may have at most {MAX_CLAUSES} clauses")
        kind = node.get("type")
        if kind == "and" or kind == "or":
            return self._compound(kind, node, depth)
        if isinstance(kind, str) and (kind in _OPERATORS or kind in _LISTS):
            return self._comparison(kind, node)
        raise _invalid(f"the type of a filter must be one of {', '.join([*_OPERATORS, *_LISTS, 'and', 'or'])}")

    def _compound(self, kind: str, node: Mapping[str, object], depth: int) -> str:
        _refuse_other_fields(node, {"type", "filters"})
        parts = node.get("filters")
        if not isinstance(parts, list) or not parts:
            raise _invalid(f"`filters` of {kind} must be a non-empty list")
        return _joined(kind, [self.node(part, depth + 1) for part in parts])

    def _comparison(self, kind: str, node: Mapping[str, object]) -> str:
        _refuse_other_fields(node, {"type", "key", "value"})
        key = _checked_key(node.get("key"))
        if "value" not in node:
            raise _invalid(f"the {kind} filter on {key!r} has no value")
        if kind in _LISTS:
            values = _checked_list(kind, key, node["value"])
            self._values += len(values)
            if self._values > MAX_VALUES:
                raise _invalid(f"the lists of a filter may have at most {MAX_VALUES} values in total")
            return self._membership(kind, key, values)
        operand = self._param(_checked_scalar(kind, key, node["value"]))
        return self._exists(key, f"{_field(key)} {_OPERATORS[kind]} {operand}")

    def _membership(self, kind: str, key: str, values: list[Scalar]) -> str:
        if key in SPECIAL_KEYS:
            return f"{key} {kind.replace('nin', 'not in')} {self._param(values)}"
        # Milvus Lite supports `in` for plain fields only, not for JSON paths; this form works everywhere.
        operator, joiner = ("==", "or") if kind == "in" else ("!=", "and")
        terms = [f"{_field(key)} {operator} {self._param(value)}" for value in values]
        return self._exists(key, _joined(joiner, terms))

    def _exists(self, key: str, comparison: str) -> str:
        # Milvus versions differ in how they compare a missing key; with `exists` they agree.
        return comparison if key in SPECIAL_KEYS else f"((exists {_field(key)}) and {comparison})"

    def _param(self, value: Operand) -> str:
        name = f"v{len(self.params)}"
        self.params[name] = value
        return f"{{{name}}}"


def _joined(operator: str, terms: Sequence[str]) -> str:
    """A balanced tree of the terms: Milvus servers reject chains, which are nested, at a depth of about 100."""
    if len(terms) == 1:
        return terms[0]
    middle = (len(terms) + 1) // 2
    return f"({_joined(operator, terms[:middle])} {operator} {_joined(operator, terms[middle:])})"


def _field(key: str) -> str:
    return key if key in SPECIAL_KEYS else f'attributes["{key}"]'


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise _invalid("the key of a filter must be a string")
    if not is_safe_key(key):
        raise _invalid(f"the filter key {key[:64]!a} {KEY_RULE}")
    return key


def _checked_list(kind: str, key: str, value: object) -> list[Scalar]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LIST_VALUES:
        raise _invalid(f"the value of {kind} on {key!r} must be a list of 1 to {MAX_LIST_VALUES} values")
    return [_checked_scalar(kind, key, item) for item in value]


def _checked_scalar(kind: str, key: str, value: object) -> Scalar:
    if not isinstance(value, (str, int, float)):
        raise _invalid(f"the value of {kind} on {key!r} must be a string, a number or a boolean")
    if isinstance(value, bool) and kind in _ORDERED:
        raise _invalid(f"{kind} on {key!r} cannot order booleans")
    if key in SPECIAL_KEYS and not isinstance(value, str):
        raise _invalid(f"{key} can only be compared with strings")
    if isinstance(value, str):
        _check_string(key, value)
    elif isinstance(value, int) and not -_INT64_MAX <= value <= _INT64_MAX:
        raise _invalid(f"the number compared with {key!r} does not fit in 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise _invalid(f"the number compared with {key!r} is not finite")
    return value


def _check_string(key: str, value: str) -> None:
    if len(value) > MAX_STRING_CHARS:
        raise _invalid(f"the string compared with {key!r} has more than {MAX_STRING_CHARS} characters")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise _invalid(f"the string compared with {key!r} is not valid Unicode")


def _refuse_other_fields(node: Mapping[str, object], known: set[str]) -> None:
    for name in node:
        if name not in known:
            raise _invalid(f"unknown field {str(name)[:64]!a} for a filter of this type")


def _invalid(message: str) -> InvalidFilter:
    return InvalidFilter(message, param="filters")
