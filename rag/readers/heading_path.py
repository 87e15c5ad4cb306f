"""Heading titles, and the paths of nested headings."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL and lone surrogates, which the databases reject."""
MAX_TITLE_CHARS = 200
"""Longer titles are truncated, so that the path of six nested headings always fits in its database field."""


class HeadingPath:
    """The headings that enclose the current position in a document."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> str:
        """Add a heading and return its path, which begins with the enclosing headings of lower levels."""
        self._open = [(outer, name) for outer, name in self._open if outer < level] + [(level, title)]
        return " > ".join(name for _, name in self._open)


def clean_title(title: str) -> str:
    """The title in one line, truncated, with characters that cannot be stored replaced."""
    title = UNSTORABLE.sub("\ufffd", title)
    return " ".join(title.split())[:MAX_TITLE_CHARS].rstrip()
