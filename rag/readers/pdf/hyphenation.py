"""Joins words that are hyphenated at the end of a line."""

from __future__ import annotations

import re
from collections.abc import Sequence

LINE_END_HYPHEN = "\ufffe"
"""Stands for a hyphen at the end of a line, and the line break."""
_BROKEN_WORD = re.compile(rf"(?<!\w)(\w+){LINE_END_HYPHEN}\n?(\w+)")
_HYPHENATED = re.compile(r"\b\w+-\w+\b")


def join_hyphenated(pages: Sequence[str]) -> list[str]:
    """The pages with hyphenated words joined.

    `exam` and `ple` become `example`, but `well` and `known` become `well-known` if the document spells it that way
    elsewhere. Names and numbers (`Covid` `19`, `Anne` `Marie`) keep the hyphen.
    """
    if not any(LINE_END_HYPHEN in page for page in pages):
        return list(pages)
    hyphenated = {word.lower() for page in pages for word in _HYPHENATED.findall(page)}
    joined = (_BROKEN_WORD.sub(lambda match: _joined(match[1], match[2], hyphenated), page) for page in pages)
    return [page.replace(LINE_END_HYPHEN, "-\n") for page in joined]


def _joined(start: str, end: str, hyphenated: set[str]) -> str:
    is_word = start.isalpha() and end.isalpha() and (end[0].islower() or start.isupper())
    if not is_word or f"{start}-{end}".lower() in hyphenated:
        return f"{start}-{end}"
    return start + end
