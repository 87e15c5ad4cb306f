"""Finds the parts of a text again in the text that was made of it.

Between them characters may have been added or removed: borders of cells, hyphens at the ends of lines, invisible ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_SLACK = 200
"""Characters after the previous part in which the next one is searched."""
_HYPHENS = "-\u2010\u2011\ufffe"


def aligned(parts: Iterable[str], text: str, start: int, end: int) -> Iterator[tuple[int, int] | None]:
    """The offsets of each part in `text[start:end]`, in order; None for one that is not there."""
    for part in parts:
        part = part.strip()
        at = text.find(part, start, min(end, start + len(part) + _SLACK)) if part else -1
        span = (at, at + len(part)) if at >= 0 else _found_by_words(part.rstrip(_HYPHENS), text, start, end)
        if span:
            start = span[1]
        yield span


def _found_by_words(part: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    first, position = -1, start
    for word in part.split():
        at = text.find(word, position, min(end, position + len(word) + _SLACK))
        if at < 0:
            return None
        first, position = at if first < 0 else first, at + len(word)
    return (first, position) if first >= 0 else None
