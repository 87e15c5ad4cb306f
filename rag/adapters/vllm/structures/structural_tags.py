"""xgrammar's structural tags, translated into Lark for llguidance (docs/bentoml_issues.md#v13).

Those that name tokens or forms of XML are not translated. Free text can only be the content of a tag, or come last,
because llguidance matches it as far as possible.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from rag.adapters.vllm.structures.gbnf import to_lark
from rag.adapters.vllm.structures.lark import HEADER, from_lark, lark_literal, repetitions
from rag.types import JsonObject

SchemaText: TypeAlias = Callable[[object], str]
"""The text of a JSON schema, with llguidance's options."""
_ANY = r"/(.|\n)*/"
_OPTIONS: Mapping[str, frozenset[str]] = {
    "const_string": frozenset({"value"}),
    "json_schema": frozenset({"json_schema", "style"}),
    "any_text": frozenset({"excludes"}),
    "regex": frozenset({"pattern"}),
    "grammar": frozenset({"grammar"}),
    "sequence": frozenset({"elements"}),
    "or": frozenset({"elements"}),
    "optional": frozenset({"content"}),
    "star": frozenset({"content"}),
    "plus": frozenset({"content"}),
    "repeat": frozenset({"content", "min", "max"}),
    "tag": frozenset({"begin", "content", "end"}),
    "triggered_tags": frozenset({"triggers", "tags", "at_least_one", "stop_after_first", "excludes"}),
    "tags_with_separator": frozenset({"tags", "separator", "at_least_one", "stop_after_first"}),
}
"""The fields of each format that are translated."""
_NEUTRAL: tuple[object, ...] = (None, False, [], "json")
_SUFFIXES = {"optional": "?", "star": "*", "plus": "+"}
MAX_DEPTH = 50


def tag_to_lark(tag: Mapping[str, Any], schema_text: SchemaText) -> str:
    """The grammar of a structural tag, in the current or the older form (`structures` and `triggers`).

    Raises:
        ValueError: it is invalid, or has a format that is not translated; names it.
    """
    rules = _Rules(schema_text)
    if "structures" in tag:
        rules.start(_older(tag))
    elif isinstance(form := tag.get("format"), dict):
        rules.start(form)
    else:
        raise ValueError("needs format, or structures and triggers")
    return rules.text


def _older(tag: Mapping[str, Any]) -> JsonObject:
    structures = [each for each in _list(tag, "structures") if isinstance(each, dict)]
    tags = [
        {
            "type": "tag",
            "begin": each.get("begin"),
            "content": {"type": "json_schema", "json_schema": each.get("schema")},
            "end": each.get("end"),
        }
        for each in structures
    ]
    return {"type": "triggered_tags", "triggers": _list(tag, "triggers"), "tags": tags}


class _Rules:
    """Writes the rules of a grammar. Each method returns the expression of a format."""

    def __init__(self, schema_text: SchemaText) -> None:
        self._schema_text = schema_text
        self._lines: list[str] = []
        self._count = itertools.count()

    @property
    def text(self) -> str:
        return "\n".join([HEADER, *self._lines, ""])

    def start(self, form: JsonObject) -> None:
        self._lines.append(f"start: {self._expression(form, 0, is_last=True)}")

    def _rule(self, body: str, *, attributes: str = "") -> str:
        name = f"r{next(self._count)}"
        self._lines.append(f"{name}{attributes}: {body}")
        return name

    def _terminal(self, body: str) -> str:
        name = f"T{next(self._count)}"
        self._lines.append(f"{name}: {body}")
        return name

    def _expression(self, form: object, depth: int, *, is_last: bool) -> str:
        if not isinstance(form, dict) or not isinstance(kind := form.get("type"), str):
            raise ValueError("each format must be an object with a type")
        if depth > MAX_DEPTH:
            raise ValueError("its formats are nested too deeply")
        _check_fields(form, kind)
        match kind:
            case "const_string":
                return lark_literal(_text(form, "value"))
            case "regex":
                return _regex(_text(form, "pattern"))
            case "grammar":
                return self._rule(f"%lark {{\n{_body(_text(form, 'grammar'))}\n}}")
            case "json_schema":
                return self._rule(f"%json {self._schema_text(form.get('json_schema'))}")
            case "any_text" if is_last:
                return self._free_text(form)
            case "triggered_tags" if is_last:
                return self._triggered(form, depth)
            case "any_text" | "triggered_tags":
                raise ValueError(f"{kind} is only supported as the content of a tag, or at the end")
            case "tag":
                return self._tag(form, depth)
            case "tags_with_separator":
                return self._separated(form, depth)
            case "sequence":
                elements = _list(form, "elements")
                lasts = [is_last and number == len(elements) for number in range(1, len(elements) + 1)]
                parts = [self._expression(e, depth + 1, is_last=last) for e, last in zip(elements, lasts, strict=True)]
                return self._rule(" ".join(parts))
            case "or":
                return self._choice(
                    self._expression(each, depth + 1, is_last=is_last) for each in _list(form, "elements")
                )
        content = self._expression(form.get("content"), depth + 1, is_last=is_last and kind == "optional")
        return self._rule(f"({content}){_SUFFIXES.get(kind) or _repeated(form)}")

    def _choice(self, expressions: Iterable[str]) -> str:
        return self._rule(" | ".join(expressions))

    def _free_text(self, form: JsonObject) -> str:
        excluded = [re.escape(text).replace("/", r"\/").replace("\n", r"\n") for text in _texts(form, "excludes")]
        without = f" & ~/(.|\\n)*({'|'.join(excluded)})(.|\\n)*/" if excluded else ""
        return self._terminal(f"{_ANY}{without}")

    def _tag(self, form: JsonObject, depth: int, begin: str | None = None) -> str:
        """Args:
        begin: What is still to be written of the tag's beginning; None: all.
        """
        begin = _text(form, "begin") if begin is None else begin
        ends = form.get("end")
        texts = [ends] if isinstance(ends, str) else _texts(form, "end")
        end = " | ".join(map(lark_literal, texts)) or '""'
        content = form.get("content")
        if isinstance(content, dict) and content.get("type") == "any_text" and all(texts) and texts:
            _check_fields(content, "any_text")
            rest = self._rule(f"{self._free_text(content)} ({end})", attributes="[lazy]")
        else:
            rest = f"{self._expression(content, depth + 1, is_last=False)} ({end})"
        return self._rule(f"{lark_literal(begin)} {rest}")

    def _triggered(self, form: JsonObject, depth: int) -> str:
        """Free text in which a trigger must be followed by the rest of one of its tags."""
        text = self._free_text(form)
        tags = [each for each in _list(form, "tags") if isinstance(each, dict)]
        triggers = _texts(form, "triggers")
        calls = []
        for trigger in triggers:
            own = [each for each in tags if _text(each, "begin").startswith(trigger)]
            if not own or not trigger:
                raise ValueError(f"no tag begins with the trigger {trigger!r}")
            head = self._rule(f"{text} {lark_literal(trigger)}", attributes="[lazy]")
            rests = [self._tag(each, depth + 1, _text(each, "begin")[len(trigger) :]) for each in own]
            calls.append(f"{head} ({' | '.join(rests)})")
        for each in tags:
            if not any(_text(each, "begin").startswith(trigger) for trigger in triggers):
                raise ValueError(f"the tag {_text(each, 'begin')!r} begins with no trigger")
        call = self._choice(calls)
        if form.get("stop_after_first"):
            return call if form.get("at_least_one") else self._choice([call, text])
        return self._rule(f"{call}{'+' if form.get('at_least_one') else '*'} {text}")

    def _separated(self, form: JsonObject, depth: int) -> str:
        tags = self._choice(self._tag(each, depth + 1) for each in _list(form, "tags") if isinstance(each, dict))
        more = "" if form.get("stop_after_first") else f" ({lark_literal(_text(form, 'separator'))} {tags})*"
        return self._rule(f"({tags}{more}){'' if form.get('at_least_one') else '?'}")


def _check_fields(form: Mapping[str, Any], kind: str) -> None:
    if kind not in _OPTIONS:
        raise ValueError(f"the format {kind[:80]!r} is not supported; known are {', '.join(sorted(_OPTIONS))}")
    if kind == "json_schema" and form.get("style", "json") != "json":
        raise ValueError(f"{kind}.style: only json is supported")
    for name, value in form.items():
        if name != "type" and name not in _OPTIONS[kind] and value not in _NEUTRAL:
            raise ValueError(f"{kind}.{name[:80]} is not supported")


def _regex(pattern: str) -> str:
    """As a literal of Lark, in which a slash is escaped and nothing spans lines."""
    escaped = re.sub(r"\\.|/|\n", lambda found: {"/": r"\/", "\n": r"\n"}.get(found[0], found[0]), pattern)
    return f"/{escaped}/" if escaped else '""'


def _body(grammar: str) -> str:
    return (to_lark(grammar) if "::=" in grammar else from_lark(grammar)).removeprefix(HEADER)


def _repeated(form: Mapping[str, Any]) -> str:
    least, most = form.get("min"), form.get("max")
    if not isinstance(least, int) or not isinstance(most, int) or not 0 <= least <= max(most, least) or most == 0:
        raise ValueError("repeat: min and max must be numbers, max above 0 or -1")
    return repetitions(least, None if most < 0 else most)


def _text(form: Mapping[str, Any], name: str) -> str:
    if not isinstance(value := form.get(name), str):
        raise ValueError(f"{name}: must be a text")
    return value


def _texts(form: Mapping[str, Any], name: str) -> Sequence[str]:
    return [text for text in _list(form, name, optional=True) if isinstance(text, str)]


def _list(form: Mapping[str, Any], name: str, *, optional: bool = False) -> list[Any]:
    value = form.get(name)
    if optional and value is None:
        return []
    if not isinstance(value, list) or not (value or optional):
        raise ValueError(f"{name}: must be a list" + ("" if optional else " that is not empty"))
    return value
