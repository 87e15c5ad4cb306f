"""The lines of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def lines_of(text: str) -> Iterator[Line]:
    start = 0
    for line in text.split("\n"):
        yield Line(start, line)
        start += len(line) + 1
