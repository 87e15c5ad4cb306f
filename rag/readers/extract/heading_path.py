"""Heading titles, and the paths of nested headings."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL and lone surrogates, which the databases reject."""
MAX_TITLE_CHARS = 200
"""Longer titles are truncated, so that the path of six nested headings always fits in its database field."""


_NO_TITLE = re.compile(
    r"\(?(?:untitled|anonymous|unnamed|unknown|no title|ohne titel|unbenannt|sans titre)\)?(?: ?-?\d+)?"
    r"|microsoft (?:word|powerpoint|excel) - .*|(?:document|dokument|slide|presentation|präsentation|book|mappe) ?\d*"
    r"|powerpoint[- ]presentation|présentation powerpoint|powerpoint-präsentation|print(?:ing)?"
    r"|.*\.(?:docx?|pptx?|xlsx?|rtf|odt|indd|dvi|tex|qxd|pmd|pdf|eps|html?)",
    re.IGNORECASE,
)
"""What programs write as the title of a document that has none: `untitled`, `Microsoft Word - a.doc`, `Document1`."""


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


def given_title(title: str) -> str:
    """The title in a file's metadata; empty if it is one that a program wrote because nobody gave it one."""
    return "" if _NO_TITLE.fullmatch(title.strip()) else title
