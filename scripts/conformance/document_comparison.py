"""What a client of one OpenAPI document finds different in another.

Requests and responses are judged by their direction, as oasdiff does for breaking changes: a request must accept every
type and value that the reference accepts, a response may only have the types and values that the reference has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from document_schemas import ANY, Document, Form, Schema

Direction: TypeAlias = Literal["request", "response"]
_DISCRIMINATORS = ("type", "object", "role", "mode")
_METHODS = ("get", "post", "delete", "put", "patch")


@dataclass(frozen=True, slots=True)
class Finding:
    """One property or parameter of the reference."""

    place: str
    reason: str = ""
    """What is different; empty: nothing."""
    beneath: bool = False
    """Whether it is different only because the property above it is."""


def operations(document: Document, prefixes: Sequence[str], strip: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of the operations below the prefixes."""
    for path, item in document.content["paths"].items():
        if "?" not in path and any(re.match(rf"{re.escape(prefix)}(/|$)", path) for prefix in prefixes):
            yield from ((method, path.removeprefix(strip)) for method in _METHODS if method in item)


class Comparison:
    """Compares operations of `theirs`, the reference, with those of `ours`."""

    def __init__(self, theirs: Document, ours: Document, our_prefix: str = "/v1") -> None:
        self._theirs = theirs
        self._ours = ours
        self._paths = {_shape(path.removeprefix(our_prefix)): path for path in ours.content["paths"]}

    def offered(self, method: str, path: str) -> bool:
        return self._our_operation(method, path) is not None

    def findings(self, method: str, path: str) -> list[Finding]:
        """One for each parameter and property of the operation. A schema that is used twice in one body counts once."""
        place = f"{method.upper()} {path}"
        their_item = self._theirs.content["paths"][path]
        theirs = their_item[method]
        ours = self._our_operation(method, path) or {}
        found = list(self._parameters(place, [*their_item.get("parameters", ()), *theirs.get("parameters", ())], ours))
        for direction in ("request", "response"):
            schema = _body(self._theirs, theirs, direction)
            if schema is not None:
                other = _body(self._ours, ours, direction)
                walk = _Walk(self._theirs, self._ours, direction)
                found += walk.compare(f"{place} {direction}", schema, other)
        return found

    def _our_operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        ours = self._paths.get(_shape(path))
        operation: Mapping[str, Any] | None = self._ours.content["paths"][ours].get(method) if ours else None
        return operation

    def _parameters(self, place: str, theirs: Sequence[Any], ours: Mapping[str, Any]) -> Iterator[Finding]:
        others = [self._ours.resolve(parameter) for parameter in ours.get("parameters", ())]
        in_path = [parameter for parameter in others if parameter["in"] == "path"]
        named = {(parameter["in"], parameter["name"]): parameter for parameter in others}
        walk = _Walk(self._theirs, self._ours, "request")
        for parameter in map(self._theirs.resolve, theirs):
            where = f"{place} {parameter['in']} {parameter['name']}"
            if parameter["in"] == "path":  # the name does not matter to a client, the position does
                yield Finding(where, "" if in_path else "missing")
                in_path = in_path[1:]
                continue
            other = named.get((parameter["in"], parameter["name"].removesuffix("[]")))
            if other is None:
                yield Finding(where, "missing")
            else:
                yield Finding(
                    where, walk.difference(parameter.get("schema", {}), other.get("schema", {}), may_be_null=False)
                )


class _Walk:
    """Walks through one body."""

    def __init__(self, theirs: Document, ours: Document, direction: Direction) -> None:
        self._theirs = theirs
        self._ours = ours
        self._direction = direction
        self._seen: set[str] = set()

    def compare(self, place: str, schema: Schema, other: Schema | None, beneath: bool = False) -> Iterator[Finding]:
        """The findings for all properties below the schema."""
        names = list(self._theirs.references(schema))
        if names and all(name in self._seen for name in names):
            return
        self._seen.update(names)
        theirs = self._theirs.forms(schema)
        ours = self._ours.forms(other) if other is not None else []
        objects = [form for form in ours if "object" in form.types and form.types != ANY]
        absent: list[tuple[Form, list[Finding]]] = []
        for form in theirs:
            if not form.properties:
                continue
            match = _matching(self._theirs, form, self._ours, objects)
            found = list(self._properties(place, form, match, beneath or match is None))
            if match is None:
                absent.append((form, found))
            yield from found if match is not None else ()
        yield from self._absent(place, absent, beneath, lacks_all=not objects)
        for pick in ("items", "extra"):
            below = [getattr(form, pick) for form in theirs if getattr(form, pick) is not None]
            if below:
                others = [getattr(form, pick) for form in ours if getattr(form, pick) is not None]
                yield from self.compare(f"{place}[]", _union(below), _union(others) if others else None, beneath)

    def _absent(
        self, place: str, absent: Sequence[tuple[Form, list[Finding]]], beneath: bool, *, lacks_all: bool
    ) -> Iterator[Finding]:
        """The properties of the alternatives that ours lacks. All together are one difference."""
        names = "; ".join(_title(self._theirs, form) for form, _ in absent)
        for position, finding in enumerate(one for _, found in absent for one in found):
            if position == 0 and not beneath:
                reason = "any object" if lacks_all else f"lacks the alternatives {names}"
                yield Finding(place, reason)
            else:
                yield finding

    def _properties(self, place: str, form: Form, match: Form | None, beneath: bool) -> Iterator[Finding]:
        for name, schema in form.properties.items():
            where = f"{place}.{name}"
            if match is None or name not in match.properties:
                yield Finding(where, "missing", beneath)
                yield from self.compare(where, schema, None, beneath=True)
            else:
                other = match.properties[name]
                yield Finding(where, self.difference(schema, other) or self._presence(name, form, match), beneath)
                yield from self.compare(where, schema, other, beneath)

    def _presence(self, name: str, form: Form, match: Form) -> str:
        if self._direction == "request" and name in match.required and name not in form.required:
            return "required here"
        if self._direction == "response" and name in form.required and name not in match.required:
            return "may be absent"
        return ""

    def difference(self, schema: Schema, other: Schema, *, may_be_null: bool = True) -> str:
        """What of the type or the values would surprise a client; empty: nothing."""
        theirs, ours = self._theirs.forms(schema), self._ours.forms(other)
        wide, narrow = (ours, theirs) if self._direction == "request" else (theirs, ours)
        fault = "not accepted" if self._direction == "request" else "may be"
        types = {kind for kind in _types(narrow) if not _admits(_types(wide), kind)} - (
            set() if may_be_null else {"null"}
        )
        if types and _types(narrow) != ANY:
            return f"{fault}: {', '.join(sorted(types))}"
        admitted, wanted = _values(wide), _values(narrow)
        if admitted is None:
            return ""
        if wanted is None:
            return "" if "string" not in _types(narrow) else f"{fault}: other texts"
        lost = sorted(map(str, wanted - admitted))
        return f"{fault}: {', '.join(lost)}" if lost else ""


def _shape(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"{[^}]*}", "{}", path)


def _body(document: Document, operation: Mapping[str, Any], direction: Direction) -> Schema | None:
    if direction == "request":
        holder = document.resolve(operation.get("requestBody", {}))
    else:
        answers = operation.get("responses", {})
        holder = document.resolve(answers.get("200", answers.get("201", {})))
    content = holder.get("content", {})
    for media_type in ("application/json", "multipart/form-data"):
        if media_type in content:
            schema: Schema = content[media_type].get("schema", {})
            return schema
    return None


def _union(schemas: Sequence[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _types(forms: Sequence[Form]) -> frozenset[str]:
    return frozenset().union(*(form.types for form in forms)) if forms else ANY


def _admits(types: frozenset[str], kind: str) -> bool:
    return kind in types or (kind == "integer" and "number" in types)


def _values(forms: Sequence[Form]) -> frozenset[Any] | None:
    """The admitted texts, or None if any is. Only texts: numbers and objects are compared by type."""
    texts = [form for form in forms if "string" in form.types]
    if not texts or any(form.values is None for form in texts):
        return None
    return frozenset().union(*(form.values or frozenset() for form in texts))


def _matching(theirs: Document, form: Form, ours: Document, objects: Sequence[Form]) -> Form | None:
    """The forms of ours with the same `type` and the like, or else those that share the most properties, as one."""
    ranked: dict[tuple[int, int], list[Form]] = {}
    for other in objects:
        agreed = 0
        for name in _DISCRIMINATORS:
            one, two = _constants(theirs, form, name), _constants(ours, other, name)
            if one is not None and two is not None:
                if not one & two:
                    break
                agreed += 1
        else:
            shared = 0 if agreed else len(set(form.properties) & set(other.properties))
            ranked.setdefault((agreed, shared), []).append(other)
    best = max(ranked, default=(0, 0))
    return _as_one(ranked[best]) if any(best) or len(objects) == len(ranked) == 1 else None


def _as_one(forms: Sequence[Form]) -> Form:
    """A form that admits what any of the forms admits."""
    names = dict.fromkeys(name for form in forms for name in form.properties)
    properties = {name: _union([form.properties[name] for form in forms if name in form.properties]) for name in names}
    return Form(properties=properties, required=frozenset.intersection(*(form.required for form in forms)))


def _constants(document: Document, form: Form, name: str) -> frozenset[Any] | None:
    schema = form.properties.get(name)
    return None if schema is None else _values(document.forms(schema))


def _title(document: Document, form: Form) -> str:
    for name in _DISCRIMINATORS:
        values = _constants(document, form, name)
        if values:
            return ", ".join(sorted(map(str, values)))
    return ", ".join(list(form.properties)[:3])
