"""What stands side by side on a page, and the strips without text between it."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from rag.readers.pdf.layout.box import Box
from rag.readers.pdf.layout.page_lines import PageLine, Segment

MIN_ROWS = 3
"""Rows on both sides of a strip that make columns of a page."""
_MAX_PITCH = 1.6
"""Rows further apart, as a multiple of the usual distance, do not belong to the same paragraph."""
_MAX_GUTTERS = 8
_MAX_BLANK = 4.0
"""A wider blank, as a multiple of the usual distance, divides columns."""
_LIST_MARK = re.compile(r"[•●○◦■□▪▫◆◇►▶▸‣⁃➢➤✓✔*·∙–—\uf0a7\uf0b7\uf0d8-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{2,5})[.)]")


_LETTER = re.compile(r"[^\W\d_]")
_MAX_MARK_CHARS = 7


class Piece(NamedTuple):
    segment: Segment
    line: int
    """Index of its line."""


class PageRow(NamedTuple):
    """What stands side by side, from left to right."""

    pieces: tuple[Piece, ...]
    spans: tuple[tuple[float, float], ...]
    """The left and right of each piece."""

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> PageRow:
        return cls(tuple(pieces), tuple([(left, right) for (_, (left, _, right, _)), _ in pieces]))

    @property
    def left(self) -> float:
        return self.spans[0][0]

    @property
    def right(self) -> float:
        return max(right for _, right in self.spans)

    @property
    def middle(self) -> float:
        return self.pieces[0].segment.box.middle

    @property
    def height(self) -> float:
        return self.pieces[0].segment.box.height

    @property
    def text(self) -> str:
        return " ".join(piece.segment.text for piece in self.pieces)

    def crosses(self, x: float) -> bool:
        for left, right in self.spans:
            if left >= x:
                return False
            if x < right:
                return True
        return False

    def is_divided(self, x: float) -> bool:
        """True if it stands on both sides of x."""
        spans = self.spans
        return len(spans) > 1 and spans[0][0] < x < spans[-1][0] and not self.crosses(x)

    def split(self, x: float) -> Split:
        left = [piece for piece, (_, end) in zip(self.pieces, self.spans, strict=True) if end <= x]
        if not left:
            return Split(None, self)
        if len(left) == len(self.pieces):
            return Split(self, None)
        right = [piece for piece, (_, end) in zip(self.pieces, self.spans, strict=True) if end > x]
        return Split(PageRow.of(left), PageRow.of(right))


class Split(NamedTuple):
    """A row on the two sides of a gutter; at least one is there."""

    left: PageRow | None
    right: PageRow | None

    @property
    def middle(self) -> float:
        row = self.left or self.right
        return row.middle if row else 0.0

    @property
    def is_two_sided(self) -> bool:
        return self.left is not None and self.right is not None


def page_rows(lines: Sequence[PageLine]) -> tuple[list[PageRow], dict[int, int]]:
    """The lines that stand side by side, from the top, and the row of each line."""
    from_top = sorted((-line.box.middle, index) for index, line in enumerate(lines) if line.segments)
    groups: list[list[int]] = []
    top = Box(0, 0, 0, 0)
    for _, index in from_top:
        box = lines[index].box
        if not groups or not box.is_on_line_of(top):
            groups.append([])
            top = box
        groups[-1].append(index)
    rows = [_row(Piece(segment, index) for index in group for segment in lines[index].segments) for group in groups]
    return rows, {index: number for number, group in enumerate(groups) for index in group}


def _row(pieces: Iterator[Piece]) -> PageRow:
    found = list(pieces)
    return PageRow.of(found if len(found) == 1 else sorted(found, key=lambda piece: piece.segment.box.left))


class Gutter(NamedTuple):
    x: float
    rows: int
    """How many have a gap there."""


def gutters(rows: Sequence[PageRow]) -> list[Gutter]:
    """Places that lie in a gap of at least three rows, those in most gaps first.

    Gaps after list marks do not count, nor do those before amounts: there are very many of them in tables.
    """
    edges: list[tuple[float, int]] = []
    for row in rows:
        if len(row.spans) == 1:
            continue
        right, before = row.spans[0][1], row.pieces[0]
        for (left, end), piece in zip(row.spans[1:], row.pieces[1:], strict=True):
            if left > right and _can_begin_column(piece) and not _is_mark(before):
                edges += [(right, 1), (left, -1)]
            right, before = max(right, end), piece
    edges.sort()
    found: list[Gutter] = []
    depth = 0
    for (x, step), (next_x, next_step) in pairwise(edges):
        depth += step
        if depth >= MIN_ROWS and step > next_step:
            found.append(Gutter((x + next_x) / 2, depth))
    return sorted(found, key=lambda gutter: -gutter.rows)[:_MAX_GUTTERS]


def _can_begin_column(piece: Piece) -> bool:
    return bool(_LETTER.search(piece.segment.text)) or _is_mark(piece)


def _is_mark(piece: Piece) -> bool:
    return is_list_mark(piece.segment.text)


def is_list_mark(text: str) -> bool:
    """Whether it is a bullet, or a number such as `1.` or `(a)`."""
    return len(text) <= _MAX_MARK_CHARS and bool(_LIST_MARK.fullmatch(text))


def runs(rows: Sequence[PageRow], used: Sequence[bool], x: float) -> Iterator[tuple[int, int]]:
    """Successive rows that do not cross x, from the first to the last that stands on both sides."""
    start: int | None = None
    for index, row in enumerate([*rows, None]):
        is_open = row is not None and not used[index] and not row.crosses(x)
        if is_open and start is None:
            start = index
        elif not is_open and start is not None:
            yield from _trimmed(rows, start, index, x)
            start = None


def _trimmed(rows: Sequence[PageRow], start: int, end: int, x: float) -> Iterator[tuple[int, int]]:
    """The run, divided at wide blanks, without the rows at its ends that do not continue a column."""
    both = [index for index in range(start, end) if rows[index].is_divided(x)]
    if len(both) < MIN_ROWS:
        return
    pitch = statistics.median(rows[one].middle - rows[two].middle for one, two in pairwise(both))
    limits = [
        index + 1
        for index in range(both[0], both[-1])
        if rows[index].middle - rows[index + 1].middle > _MAX_BLANK * pitch
    ]
    for part_start, part_end in pairwise([start, *limits, end]):
        part = [index for index in both if part_start <= index < part_end]
        if len(part) >= MIN_ROWS:
            yield _extended(rows, part, part_start, part_end, _MAX_PITCH * pitch)


def _extended(rows: Sequence[PageRow], both: Sequence[int], start: int, end: int, distance: float) -> tuple[int, int]:
    """From the first to the last row on both sides, and on to those that are not further away than a line."""
    first, last = both[0], both[-1]
    while first > start and rows[first - 1].middle - rows[first].middle <= distance:
        first -= 1
    while last + 1 < end and rows[last].middle - rows[last + 1].middle <= distance:
        last += 1
    return first, last + 1
