"""Removes from Markdown what is not text: pictures as data URIs, comments and HTML, but not within code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt

from rag.readers.text.markdown_html import without_html

BLOCKS = MarkdownIt("commonmark").disable("inline")
"""Parses blocks only: for a whole document, inline markup can take quadratic time."""
_DATA_URI = r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*,"
_OTHER_PARTS = (
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)[^`]*?(?<!`)(?P=ticks)(?!`))"
    rf"|!\[(?P<alt>[^\]]{{0,500}})\]\(\s*<?{_DATA_URI}[^)\s]*\s*(?:\"[^\"]*\"|'[^']*')?\s*\)"
    rf"|(?P<tag><img\b[^<>]*?\bsrc\s*=\s*[\"']?{_DATA_URI}[^>]*>)"
    r"|(?P<remark>^[ ]{0,3}\[(?://|comment)\]:[ \t]*(?:#|<#?>)[ \t]*(?:\([^\n]*\)|\"[^\n]*\"|'[^\n]*')[ \t]*$\n?)"
    rf"|^[ ]{{0,3}}\[(?P<label>[^\]]{{1,500}})\]:\s*<?{_DATA_URI}\S*[^\n]*\n?"
)
_FLAGS = re.DOTALL | re.MULTILINE | re.IGNORECASE
_PARTS = re.compile(rf"(?P<comment><!--.*?-->[ \t]*)|{_OTHER_PARTS}", _FLAGS)
_PARTS_AFTER_COMMENTS = re.compile(rf"(?P<comment>(?!))|{_OTHER_PARTS}", _FLAGS)
"""For text without `-->`, where each `<!--` would be searched to the end."""
_NOT_TEXT = re.compile(
    r"<!--|data:|^[ ]{0,3}\[(?://|comment)\]:|</?table|<su[bp]>|&[#a-z]", re.IGNORECASE | re.MULTILINE
)
_MDX_COMMENT = re.compile(r"\{/\*.*?\*/\}[ \t]*", re.DOTALL)
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_REFERENCE = re.compile(r"!\[(?P<alt>[^\]]{0,500})\](?:\[(?P<label>[^\]]*)\])?(?![(\[])")


def clean(text: str, *, is_mdx: bool = False) -> tuple[str, int]:
    """The text without comments and HTML, data URIs replaced by their alt text; and the number of pictures."""
    has_comments = is_mdx and "{/*" in text
    if not has_comments and not _NOT_TEXT.search(text):
        return text, 0
    cleaner = _Cleaner(has_comments=has_comments)
    parts = [part if is_code else cleaner.clean(part) for part, is_code in _code_parts(text)]
    return "".join(parts), cleaner.pictures


class _Cleaner:
    """Cleans the parts of a document, and counts its pictures."""

    def __init__(self, *, has_comments: bool) -> None:
        self.pictures = 0
        self._has_comments = has_comments
        """Whether there are comments as in MDX."""
        self._labels: set[str] = set()

    def clean(self, text: str) -> str:
        self._labels = set()
        end = text.rfind("-->") + 3 if "-->" in text else 0
        text = _PARTS.sub(self._replacement, text[:end]) + _PARTS_AFTER_COMMENTS.sub(self._replacement, text[end:])
        text = _REFERENCE.sub(self._alt_of_reference, text) if self._labels else text
        return without_html(_MDX_COMMENT.sub("", text) if self._has_comments else text)

    def _replacement(self, match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        if match["comment"] or match["remark"]:
            return ""
        self.pictures += 1
        if match["label"]:
            self._labels.add(match["label"].casefold())
            return ""
        if match["tag"]:
            alt = _ALT.search(match["tag"])
            return (alt[1] or alt[2] or "") if alt else ""
        return match["alt"] or ""

    def _alt_of_reference(self, match: re.Match[str]) -> str:
        label = match["label"] or match["alt"]
        return match["alt"] if label.casefold() in self._labels else match[0]


def _code_parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in parts, each with whether it is a code block."""
    lines = re.findall(r"[^\n]*\n|[^\n]+\Z", text)
    position = 0
    for token in BLOCKS.parse(text):
        if token.type in ("fence", "code_block") and token.map and token.map[0] >= position:
            yield "".join(lines[position : token.map[0]]), False
            yield "".join(lines[token.map[0] : token.map[1]]), True
            position = token.map[1]
    yield "".join(lines[position:]), False
