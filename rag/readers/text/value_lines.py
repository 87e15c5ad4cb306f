"""A JSON value as lines of text, each with the path of what it says."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

from rag.errors import ParsingLimit
from rag.readers.text.json_variants import JsonValue, WrittenNumber

_HTML_NAMES = "p|div|span|b|i|u|strong|em|a|ul|ol|li|table|h[1-6]|code|pre|blockquote|sup|sub|font|section"
_OPENING = re.compile(rf"<({_HTML_NAMES})\b[^<>]*>", re.IGNORECASE)
_CLOSING = re.compile(rf"</({_HTML_NAMES})\s*>", re.IGNORECASE)
_VOID = re.compile(r"<(?:br|hr)\s*/?>|<img\s[^<>]*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,30});")
_MAX_PATH_CHARS = 300
"""Longer paths lose their beginning."""


def value_lines(value: JsonValue, path: str = "") -> Iterator[str]:
    """A line `path: value` for each scalar and each empty value; a list of scalars is one line."""
    path = path[-_MAX_PATH_CHARS:]
    if value in ({}, [], "", None) and not path:
        return
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from value_lines(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from value_lines(item, f"{path}[{index}]")
    else:
        words = ", ".join(map(plain, value)) if isinstance(value, list) and value else plain(value)
        yield f"{path}: {words}" if path else words


def plain(value: JsonValue) -> str:
    """Text as it is, without the tags and character references of HTML; other values as JSON."""
    if isinstance(value, WrittenNumber):
        return value.text
    if not isinstance(value, str) or not value.strip():
        return json.dumps(value)
    return without_html(value)


def without_html(value: str) -> str:
    """The text without tags, if it is HTML, and without character references."""
    if _is_html(value):
        return _html_text(value)
    return html.unescape(value) if "&" in value and _ENTITY.search(value) else value


def _is_html(value: str) -> bool:
    """Whether there is an element with both tags, or a line break, rule or picture."""
    if "<" not in value:
        return False
    closed = {name.lower() for name in _CLOSING.findall(value)}
    opened = {name.lower() for name in _OPENING.findall(value)} if closed else set()
    return bool(closed & opened) or _VOID.search(value) is not None


def _html_text(value: str) -> str:
    from rag.readers.html.reader import parse_html

    try:
        return "\n".join(block.text for block in parse_html(value).blocks)
    except ParsingLimit:
        return value
