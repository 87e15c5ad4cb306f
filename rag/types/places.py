"""Where words are on the pages of a PDF: rectangles that mark them on an image of the page.

Coordinates are in points (1/72 inch) from the top left corner of the page as it is shown, with y growing downwards. An
image of the page with 144 dots per inch has two pixels for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MAX_PACKED_CHARS = 60_000
"""A passage with more has places for its beginning only; Milvus holds no longer strings."""
_UNITS = 10
"""Units of a packed coordinate in a point."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    page: int
    """Page number, from 1."""
    x0: float
    y0: float
    x1: float
    y1: float


class TextRun(NamedTuple):
    """Words on one line of a page without a wide gap between them, and the rectangle around them."""

    start: int
    """Character offset in the document's text."""
    end: int
    page: int
    """Page number, from 1."""
    x0: float
    """Where the first character begins: greater than `x1` in text that is read from right to left."""
    y0: float
    x1: float
    y1: float

    def part(self, start: int, end: int) -> TextRun:
        """The part of the run between two offsets, with its place estimated: all characters count as equally wide."""
        start, end = max(start, self.start), min(end, self.end)
        if (start, end) == (self.start, self.end):
            return self
        width = (self.x1 - self.x0) / (self.end - self.start)
        x0, x1 = self.x0 + width * (start - self.start), self.x0 + width * (end - self.start)
        return self._replace(start=start, end=end, x0=x0, x1=x1)

    def rectangle(self) -> Rectangle:
        left, right = sorted((self.x0, self.x1))
        return Rectangle(self.page, round(left, 1), round(self.y0, 1), round(right, 1), round(self.y1, 1))


def runs_between(runs: Iterable[TextRun], start: int, end: int) -> list[TextRun]:
    """The runs between two offsets; those that cross an offset are cut."""
    return [run.part(start, end) for run in runs if run.start < end and run.end > start]


def rectangles(runs: Sequence[TextRun]) -> tuple[Rectangle, ...]:
    """A rectangle for each line of the runs, which are in the order of the text."""
    found: list[Rectangle] = []
    for run in runs:
        one = run.rectangle()
        if found and _is_same_line(found[-1], one):
            found[-1] = _around(found[-1], one)
        else:
            found.append(one)
    return tuple(found)


def packed(runs: Sequence[TextRun], origin: int) -> str:
    """The runs as a short text, with offsets relative to `origin`; empty if there are none."""
    pages: list[tuple[int, list[int]]] = []
    end, chars = origin, 0
    for run in runs:
        if not pages or pages[-1][0] != run.page:
            pages.append((run.page, []))
        x0, y0, x1, y1 = (round(_UNITS * value) for value in run[3:])
        values = [run.start - end, run.end - run.start, x0, y0, x1 - x0, y1 - y0]
        chars += sum(len(str(value)) + 1 for value in values)
        if chars > MAX_PACKED_CHARS:
            break
        pages[-1][1].extend(values)
        end = run.end
    return json.dumps(pages, separators=(",", ":")) if pages else ""


def unpacked(places: str, origin: int) -> list[TextRun]:
    """The runs that `packed` was given."""
    runs: list[TextRun] = []
    end = origin
    for page, values in json.loads(places) if places else ():
        for gap, length, x0, y0, width, height in zip(*[iter(values)] * 6, strict=True):
            start, end = end + gap, end + gap + length
            x1, y1 = (x0 + width) / _UNITS, (y0 + height) / _UNITS
            runs.append(TextRun(start, end, page, x0 / _UNITS, y0 / _UNITS, x1, y1))
    return runs


def _is_same_line(one: Rectangle, two: Rectangle) -> bool:
    middle = (two.y0 + two.y1) / 2
    return one.page == two.page and one.y0 < middle < one.y1 and one.y1 - one.y0 < 2 * (two.y1 - two.y0)


def _around(one: Rectangle, two: Rectangle) -> Rectangle:
    x0, y0, x1, y1 = min(one.x0, two.x0), min(one.y0, two.y0), max(one.x1, two.x1), max(one.y1, two.y1)
    return Rectangle(one.page, x0, y0, x1, y1)
