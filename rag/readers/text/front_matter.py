"""Front matter of Markdown files: YAML between `---` lines or TOML between `+++` lines, as readable lines."""

from __future__ import annotations

import datetime
import re
import tomllib
from typing import NamedTuple

import yaml

from rag.readers.text.json_variants import JsonValue
from rag.readers.text.value_lines import value_lines

# Dashes in the first line open front matter only if a `key:` follows; otherwise they are a horizontal rule.
_YAML = re.compile(
    r"---[ \t]*\n"
    r"((?:(?:#[^\n]*\n|[ \t]*\n)*[^\s:#-][^\n:]*:(?:[ \t][^\n]*)?\n(?:[^\n]*\n)*?)?)"
    r"(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)
_TOML = re.compile(r"\+\+\+[ \t]*\n((?:[^\n]*\n)*?)\+\+\+[ \t]*(?:\n|\Z)")
_MAX_DEPTH = 20


class FrontMatter(NamedTuple):
    """The fields before a document's text."""

    lines: str
    """`key: value`, one field a line; a list is one line."""
    title: str
    language: str


class _Loader(yaml.SafeLoader):
    """Refuses aliases, which can multiply a small file a billion times; values of any type stay text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not supported")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {}  # 2024-01-02, 1.10 and no stay what they are


def split(text: str) -> tuple[FrontMatter, str]:
    """The front matter of a document, which may be empty, and the text after it."""
    for pattern, parse in ((_YAML, _parse_yaml), (_TOML, _parse_toml)):
        if match := pattern.match(text):
            return _front_matter(match[1], parse(match[1])), text[match.end() :].lstrip("\n")
    return FrontMatter("", "", ""), text


def _parse_yaml(text: str) -> JsonValue:
    try:
        value: JsonValue = yaml.load(text, _Loader)
        return value
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return None


def _parse_toml(text: str) -> JsonValue:
    try:
        return _as_written(tomllib.loads(text, parse_float=str))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _as_written(value: object) -> JsonValue:
    """A value of TOML with its dates and times as text."""
    if isinstance(value, dict):
        return {str(key): _as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value if isinstance(value, str | int) else str(value)


def _front_matter(source: str, value: JsonValue) -> FrontMatter:
    """Returns the front matter of a parsed value, or the source itself if it could not be parsed."""
    if not isinstance(value, dict):
        return FrontMatter(source.strip("\n"), "", "")
    fields = {str(key).lower(): field for key, field in value.items()}
    lines = "\n".join(" ".join(line.split()) for line in value_lines(value) if not line.endswith(': ""'))
    return FrontMatter(lines, _plain(fields.get("title")), _plain(fields.get("lang") or fields.get("language")))


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
