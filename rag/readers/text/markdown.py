"""Markdown. Front matter is left out of the text, but can give the title and the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.readers.heading_path import MAX_TITLE_CHARS, HeadingPath, clean_title
from rag.readers.language_tag import language_tag
from rag.readers.source import SourceFile
from rag.types import Extract, Heading

# Dashes in the first line open front matter only if a `key:` follows; otherwise they are a horizontal rule.
_FRONT_MATTER = re.compile(
    r"---[ \t]*\n"
    r"(?:(?:#[^\n]*\n|[ \t]*\n)*[^\s:#-][^\n:]*:(?:[ \t][^\n]*)?\n(?:[^\n]*\n)*?)?"
    r"(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)
_FIELD = re.compile(r"^(title|lang|language):[ \t](.*)$", re.MULTILINE | re.IGNORECASE)
_ANCHOR = re.compile(r"\s*\{#[^{}]*\}\s*$")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->")
_BLOCKS = MarkdownIt("commonmark").disable("inline")
_INLINE = MarkdownIt("commonmark")


def read(source: SourceFile) -> Extract:
    whole = source.text()
    front_matter = _FRONT_MATTER.match(whole)
    text = whole[front_matter.end() :].lstrip("\n") if front_matter else whole
    fields = dict(_fields(front_matter[0])) if front_matter else {}
    headings = tuple(_headings(text))
    return Extract(
        text=text,
        media_type=source.media_type,
        is_markdown=True,
        headings=headings,
        title=clean_title(fields.get("title", "")) or _first_title(headings),
        language=language_tag(fields.get("lang") or fields.get("language")),
    )


def _fields(front_matter: str) -> Iterator[tuple[str, str]]:
    for match in _FIELD.finditer(front_matter):
        value = match[2].strip()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        yield match[1].lower(), value[1:-1] if is_quoted else value


def _first_title(headings: tuple[Heading, ...]) -> str:
    # The path of the first heading is its own title, whatever its level.
    return headings[0].path if headings else ""


def _headings(text: str) -> Iterator[Heading]:
    # Inline markup is parsed for headings only: for a whole document it can take quadratic time.
    line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
    path = HeadingPath()
    for opening, inline in pairwise(_BLOCKS.parse(text)):
        if opening.type == "heading_open" and opening.map is not None and (title := _plain_title(inline)):
            yield Heading(start=line_starts[opening.map[0]], path=path.enter(int(opening.tag[1:]), title))


def _plain_title(inline: Token) -> str:
    """A heading's text without markup, tags, and the `{#anchor}` that some sites append."""
    source = _TAG.sub("", inline.content[: 5 * MAX_TITLE_CHARS])
    source = _ANCHOR.sub("", source)
    (parsed,) = _INLINE.parseInline(source)
    return clean_title("".join(_token_text(token) for token in parsed.children or []))


def _token_text(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return token.content if token.type in ("text", "code_inline", "image") else ""
