"""Joins words that are hyphenated at the end of a line.

exam-    ->  example          state-of-  ->  state-of-the-art       COVID-  ->  COVID-19
ple                           the-art                               19
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

LINE_END_HYPHEN = "\ufffe"
"""Stands for a hyphen at the end of a line, and the line break."""
_RANGE_BREAK = re.compile(r"\n(?<=\d[-\u2010\u2011\u2013]\n)(?=\d)|\n(?<=\d[-\u2010\u2011]\n)(?=[a-z]{2})")
"""`10-20`, and names such as `2,4-dichlorophenol`."""
_UNICODE_HYPHEN = re.compile(r"\u2010\n(?<=[^\W\d_]\u2010\n)(?=[^\W\d_])")
_START = re.compile(r"\w+\Z")
_END = re.compile(r"\n?(\w+)")
_MAX_PART = 60
_HYPHENS = ("-", "\u2010", "\u2011")
_HYPHENATED = re.compile(r"[-\u2010\u2011]\w")
_WORD = re.compile(rf"[\w{LINE_END_HYPHEN}-]+")
_FIRST_PARTS = frozenset(
    (
        *("after", "any", "back", "down", "ever", "every", "fore", "further", "here", "how", "in", "more", "never"),
        *("now", "on", "other", "out", "over", "some", "there", "through", "under", "up", "what", "when", "where"),
        "with",
    )
)
"""Words with which many English words begin that are written in one: `however`, `without`."""
_HYPHENATED_PARTS = frozenset(("cross", "non", "self", "well"))
_SECOND_PARTS = frozenset(
    (
        *("based", "called", "cost", "defined", "driven", "friendly", "level", "oriented", "performance", "pressure"),
        *("quality", "related", "resolution", "risk", "scale", "specific", "speed", "term"),
    )
)
"""Words with which many English compounds end that are written with a hyphen: `long-term`."""
_THE_SHARE = 0.02
"""Share of `the` among the words of an English text is 0.04 to 0.07."""


def join_hyphenated(pages: Sequence[str]) -> list[str]:
    """The pages with hyphenated words joined.

    The document decides if it has the word elsewhere: `well` and `known` become `well-known` if it writes that, else
    `wellknown`. Names, numbers and abbreviations (`Covid` `19`, `Anne` `Marie`, `e` `mail`) keep the hyphen, and so do
    two words of an English document that it never writes as one.
    """
    pages = [_RANGE_BREAK.sub("", _UNICODE_HYPHEN.sub(LINE_END_HYPHEN, page)) for page in pages]
    if not any(LINE_END_HYPHEN in page for page in pages):
        return pages
    vocabulary = _Vocabulary(pages)
    return [_joined(page, vocabulary) if LINE_END_HYPHEN in page else page for page in pages]


def _joined(page: str, vocabulary: _Vocabulary) -> str:
    before, *parts = page.split(LINE_END_HYPHEN)
    text = [before]
    for part in parts:
        start, end = _START.search(before[-_MAX_PART:]), _END.match(part)
        if start and end:
            character = before[: -len(start[0])][-1:]
            keeps_hyphen = vocabulary.keeps_hyphen(character, start[0], end[1], part[end.end() :])
            text += ["-" if keeps_hyphen else "", part[end.start(1) :]]
        else:
            text += ["-\n", part.removeprefix("\n")]
        before = part
    return "".join(text)


class _Vocabulary:
    """The words of a document that are not cut by a line end."""

    def __init__(self, pages: Sequence[str]) -> None:
        self._counts: Counter[str] = Counter()
        for page in pages:
            whole = page.replace(f"{LINE_END_HYPHEN}\n", LINE_END_HYPHEN)
            self._counts.update(_WORD.findall(whole.lower()))
        self._is_english = self._counts["the"] > _THE_SHARE * self._counts.total()

    def keeps_hyphen(self, before: str, start: str, end: str, after: str) -> bool:
        """Whether a word that is cut into `start` and `end` is written with a hyphen.

        Args:
            before: The character before `start`.
            after: The text after `end`.
        """
        follows_hyphen = before in _HYPHENS
        precedes_hyphen = bool(_HYPHENATED.match(after))
        if not (start.isalpha() and end.isalpha() and (end[0].islower() or start.isupper())):
            return True
        as_one, as_two = self._counts[(start + end).lower()], self._counts[f"{start}-{end}".lower()]
        if as_one or as_two:
            return as_two >= as_one
        if len(start) == 1 or precedes_hyphen:
            return True
        if follows_hyphen:
            return len(start) <= 3 or self._counts[start.lower()] > 0
        return self._is_english and self._is_compound(start.lower(), end.lower())

    def _is_compound(self, start: str, end: str) -> bool:
        if (start in _HYPHENATED_PARTS and len(end) > 3) or (end in _SECOND_PARTS and len(start) > 2):
            return True
        are_long = len(start) > 2 and len(end) > 2
        return are_long and start not in _FIRST_PARTS and self._counts[start] > 0 and self._counts[end] > 0
