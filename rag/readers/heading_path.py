"""Titles of headings, and the paths they make."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL and lone surrogates."""
MAX_TITLE_CHARS = 200
"""Of one heading; a longer one is cut, so that a path of six always fits in its field."""


class HeadingPath:
    """The open headings at a point of a document."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> str:
        """The path of a new heading: below the open ones of lower levels."""
        self._open = [(outer, name) for outer, name in self._open if outer < level] + [(level, title)]
        return " > ".join(name for _, name in self._open)


def clean_title(title: str) -> str:
    """In one line, not too long, and without what cannot be stored."""
    title = UNSTORABLE.sub("\ufffd", title)
    return " ".join(title.split())[:MAX_TITLE_CHARS].rstrip()
