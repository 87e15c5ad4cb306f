"""Reports what could not be read of a file, and why, in sentences for its owner."""

from __future__ import annotations

from typing import Final

MAX_WARNINGS: Final = 50
"""Further ones are only counted."""
_MAX_WARNING_CHARS: Final = 500


class ReadingReport:
    """Collects the warnings about one file.

    A warning is a sentence without a final period that says what was not read, and why if that is not obvious:
    `2 pictures were not read`, `the sheet 'Prices' is hidden; it was read`.
    """

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}
        self._omitted = 0

    def warn(self, warning: str) -> None:
        """Add a warning. One that was added before is ignored."""
        line = " ".join(warning.split())[:_MAX_WARNING_CHARS]
        if line in self._warnings:
            return
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings[line] = None
        else:
            self._omitted += 1

    def warnings(self) -> tuple[str, ...]:
        """In the order in which they were added."""
        more = (f"{self._omitted} further warnings are not listed",) if self._omitted else ()
        return (*self._warnings, *more)


def counted(count: int, noun: str, verb_phrase: str) -> str:
    """A sentence about a number of things: `counted(2, "picture", "not read")` is `2 pictures were not read`."""
    return f"1 {noun} was {verb_phrase}" if count == 1 else f"{count} {noun}s were {verb_phrase}"
