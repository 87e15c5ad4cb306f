"""Renders inline Markdown as a person would quote it: links and emphasis resolved, code in backticks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

_INLINE = MarkdownIt("commonmark").enable("strikethrough")
_REFERENCE = re.compile(r"\s*\[(?:\d{1,3}|note \d{1,3}|citation needed)\](?!\()")
"""Reference marks of the document itself. In an answer they would look like citations."""
_ANCHOR = re.compile(r"\s*\{#[^{}]*\}")
_EMPHASIS = re.compile(r"\*\*+|(?<!\w)__+|__+(?!\w)")
"""Left over where a sentence was cut out of a longer emphasis."""
_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z][^<>]*>", re.DOTALL)
_QUOTE_MARK = re.compile(r"^[ \t]*(?:>[ \t]?)+(?=[^\d\s=])", re.MULTILINE)
"""The mark of a quotation in Markdown; before a number it may be a comparison."""
_SPACES = re.compile(r"\s+")
_POINTERS = re.compile(
    r"(?:for (?:more|further) (?:details|information)|see|refer to|read more|back to|learn more)\b", re.IGNORECASE
)
_LEADS_ELSEWHERE = re.compile(r"\s*\[[^\]]+\]\([^)]*\)\s+(?:explains|describes|covers|lists|shows|contains|has|says)\b")
"""`[operations.md](operations.md) explains how.`"""


@dataclass(frozen=True, slots=True)
class InlineText:
    text: str
    is_navigation: bool = False
    """Whether it only points to another page: it consists of links, or tells the reader to follow one."""


def without_tags(source: str) -> str:
    """Without HTML tags and comments; the texts in elements stay."""
    return _TAG.sub("", source)


def inline_text(source: str) -> InlineText:
    """One paragraph, list item or table cell as plain text in one line."""
    (parsed,) = _INLINE.parseInline(_BREAK_TAG.sub(" ", _QUOTE_MARK.sub("", source)))
    if _LEADS_ELSEWHERE.match(source):
        return InlineText("", is_navigation=True)
    parts: list[str] = []
    outside: list[str] = []
    depth = links = 0
    for token in parsed.children or []:
        if token.type == "link_open":
            depth, links = depth + 1, links + 1
        elif token.type == "link_close":
            depth -= 1
        else:
            part = _token_text(token)
            parts.append(part)
            outside += [] if depth else [part]
    text = _clean("".join(parts))
    is_only_links = links > 0 and not re.search(r"\w", "".join(outside))
    return InlineText(text, is_only_links or (links > 0 and bool(_POINTERS.match(text))))


def _token_text(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type == "code_inline":
        return f"`{token.content}`"
    return _EMPHASIS.sub("", _REFERENCE.sub("", token.content)) if token.type == "text" else ""


def _clean(text: str) -> str:
    return _SPACES.sub(" ", _ANCHOR.sub("", text)).strip()
