"""HTML within Markdown: tables become Markdown tables, scripts and character references become plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from rag.errors import ParsingLimit
from rag.readers.notation.scripts import subscript, superscript

_TABLE_TAG = re.compile(r"<(?P<end>/)?table\b[^<>]*>", re.IGNORECASE)
_LINE_START = re.compile(r"(?:^|\n)[ \t]{0,3}\Z")
_SCRIPT = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)[^`]*?(?<!`)(?P=ticks)(?!`))"
    r"|<(?P<tag>sup|sub)>(?P<content>[^<>\n]{1,80})</(?P=tag)\s*>"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,30});)",
    re.IGNORECASE,
)
_NOTE_LINK = re.compile(r"\[[^\]]{1,8}\]\(#[^)]*\)")
_MARKUP = frozenset("<>&`*_[]|\\#\n")
"""Characters that a character reference keeps from being markup."""
_NEIGHBOURS = 40


def without_html(text: str) -> str:
    """The text outside code blocks without HTML tables, superscripts, subscripts and character references."""
    if "<" in text:
        text = "".join(_without_tables(text))
    return _SCRIPT.sub(_plain, text) if "<su" in text.lower() or "&" in text else text


def _without_tables(text: str) -> Iterator[str]:
    position = depth = start = 0
    for match in _TABLE_TAG.finditer(text):
        if not match["end"]:
            if depth == 0:
                start = match.start()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0 and _LINE_START.search(text[max(position, start - 5) : start]):
                yield text[position:start]
                yield f"\n{_table(text[start : match.end()])}\n"
                position = match.end()
    yield text[position:]


def _table(source: str) -> str:
    from rag.readers.html.reader import parse_html

    try:
        return "\n\n".join(block.text for block in parse_html(source).blocks)
    except ParsingLimit:
        return source


def _plain(match: re.Match[str]) -> str:
    if match["code"]:
        return match[0]
    if match["entity"]:
        text = html.unescape(match[0])
        return match[0] if _MARKUP.intersection(text) else text
    content = match["content"]
    if _NOTE_LINK.fullmatch(content.strip()):
        return ""
    notation = superscript if match["tag"].lower() == "sup" else subscript
    before = match.string[max(0, match.start() - _NEIGHBOURS) : match.start()]
    return notation(before, content, match.string[match.end() : match.end() + _NEIGHBOURS])
