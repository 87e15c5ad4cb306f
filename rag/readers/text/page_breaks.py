"""Removes the headers and footers of plain text that is divided into pages by form feeds, as RFCs are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_MIN_PAGES = 3
_MIN_SHARE = 0.5
"""Minimum share of pages that have the same line in this position, ignoring numbers."""
_NUMBER = re.compile(r"\d+")


def without_page_breaks(text: str) -> str:
    """The text with the first and the last line of its pages only once, if most pages repeat them.

    Paragraphs that a page break interrupts go on: the empty lines around it are one.
    """
    pages = [page.strip("\n").split("\n") for page in text.split("\f") if page.strip()]
    if len(pages) < _MIN_PAGES:
        return text
    headers, footers = _repeated([page[0] for page in pages[1:]]), _repeated([page[-1] for page in pages[:-1]])
    if not headers and not footers:
        return text
    seen: set[str] = set()
    kept = []
    for page in pages:
        lines = page[:]
        if len(lines) > 1 and _key(lines[-1]) in footers and _is_repetition(lines[-1], seen):
            lines.pop()
        if _key(lines[0]) in headers and _is_repetition(lines[0], seen):
            lines.pop(0)
        kept.append("\n".join(lines).strip("\n"))
    return "\n\n".join(filter(None, kept)) + "\n"


def _is_repetition(line: str, seen: set[str]) -> bool:
    key = _key(line)
    if key in seen:
        return True
    seen.add(key)
    return False


def _repeated(lines: Sequence[str]) -> set[str]:
    counts = Counter(key for line in lines if (key := _key(line)))
    return {key for key, count in counts.items() if count >= max(2, _MIN_SHARE * len(lines))}


def _key(line: str) -> str:
    return _NUMBER.sub("#", " ".join(line.split()))
