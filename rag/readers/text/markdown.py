"""Markdown, without comments and embedded pictures. Front matter is read as lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.errors import NoTextFound
from rag.readers.extract.heading_path import MAX_TITLE_CHARS, HeadingPath, clean_title
from rag.readers.extract.language_tag import language_tag
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.readers.text.front_matter import split
from rag.readers.text.markdown_cleaning import BLOCKS, clean
from rag.types import Extract, Heading

_ANCHOR = re.compile(r"\s*\{#[^{}]*\}\s*$")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->")
_INLINE_MARK = re.compile(r"[\\`*_\[\]<>&\r\n\0]")
"""Without any of these a title has no inline markup."""
_INLINE = MarkdownIt("commonmark")


def read(source: SourceFile) -> Extract:
    front_matter, text = split(source.text())
    if not text.strip():
        raise NoTextFound("has no text, only front matter")
    return markdown_extract(
        source, "\n\n".join(filter(None, (front_matter.lines, text))), front_matter.title, front_matter.language
    )


def markdown_extract(source: SourceFile, text: str, title: str = "", language: str = "") -> Extract:
    """The extract of Markdown without front matter. Pictures as data URIs are reported."""
    text, pictures = clean(text, is_mdx=source.name.lower().endswith(".mdx"))
    if pictures:
        source.report.warn(warning("pictures", count=pictures))
    headings = tuple(_headings(text))
    return Extract(
        text=text,
        media_type=source.media_type,
        is_markdown=True,
        headings=headings,
        title=clean_title(title) or _first_title(headings),
        language=language_tag(language),
    )


def _first_title(headings: tuple[Heading, ...]) -> str:
    # The path of the first heading is its own title, whatever its level.
    return headings[0].path if headings else ""


def _headings(text: str) -> Iterator[Heading]:
    # Inline markup is parsed for headings only: for a whole document it can take quadratic time.
    line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
    path = HeadingPath()
    for opening, inline in pairwise(BLOCKS.parse(text)):
        if opening.type == "heading_open" and opening.map is not None and (title := _plain_title(inline)):
            yield Heading(start=line_starts[opening.map[0]], path=path.enter(int(opening.tag[1:]), title))


def _plain_title(inline: Token) -> str:
    """A heading's text without markup, tags, and the `{#anchor}` that some sites append."""
    source = _TAG.sub("", inline.content[: 5 * MAX_TITLE_CHARS])
    source = _ANCHOR.sub("", source)
    if not _INLINE_MARK.search(source):
        return clean_title(source)
    (parsed,) = _INLINE.parseInline(source)
    return clean_title("".join(_token_text(token) for token in parsed.children or []))


def _token_text(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return token.content if token.type in ("text", "code_inline", "image") else ""
