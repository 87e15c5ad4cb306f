"""Reads columns one after the other where the file draws their lines side by side.

The lines of most files with columns are in reading order already, and stay as they are. Columns are recognized by a
strip without text, the gutter, between running text: lines that fill the column and continue each other's sentences.
The rows of a table stay rows.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import regex

from rag.readers.pdf.layout.box import Box
from rag.readers.pdf.layout.hyphenation import LINE_END_HYPHEN
from rag.readers.pdf.layout.page_lines import Line, Segment

_MAX_SEGMENTS = 5_000
"""A page with more is left in the file's order."""
_MAX_GUTTERS = 8
"""Places of a page that are tried."""
_MAX_DEPTH = 2
_MIN_ROWS = 3
_MIN_COLUMN_WIDTH = 6.5
"""As a multiple of the line's height."""
_FULL = 0.65
"""Share of a column's width that most of its lines fill."""
_MIN_FULL_LINES = 0.5
_MIN_CONTINUED_LINES = 0.3
_MIN_LETTERS = 0.7
_MAX_PITCH = 1.6
"""Rows further apart, as a multiple of the usual distance, do not belong to the same paragraph."""
_MAX_BLANK = 4.0
"""A wider blank, as a multiple of the usual distance, divides columns."""
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u2010]$")
_LETTER = regex.compile(r"\p{L}|\p{M}")
_RTL = regex.compile(r"[\p{Script=Hebrew}\p{Script=Arabic}]")
_CASELESS = regex.compile(r"[^\p{Lu}\p{Ll}\p{Lt}\P{L}]")


class _Piece(NamedTuple):
    segment: Segment
    line: int
    """Index of its line."""


class _Row(NamedTuple):
    """What stands side by side, from left to right."""

    pieces: tuple[_Piece, ...]

    @property
    def left(self) -> float:
        return self.pieces[0].segment.box.left

    @property
    def right(self) -> float:
        return max(piece.segment.box.right for piece in self.pieces)

    @property
    def middle(self) -> float:
        return self.pieces[0].segment.box.middle

    @property
    def height(self) -> float:
        return self.pieces[0].segment.box.height

    @property
    def text(self) -> str:
        return " ".join(piece.segment.text for piece in self.pieces)

    def side(self, x: float) -> tuple[_Row | None, _Row | None]:
        """What is left and right of x."""
        left = tuple(piece for piece in self.pieces if piece.segment.box.right <= x)
        right = tuple(piece for piece in self.pieces if piece.segment.box.right > x)
        return _Row(left) if left else None, _Row(right) if right else None


class _Split(NamedTuple):
    """A row on the two sides of a gutter; at least one is there."""

    left: _Row | None
    right: _Row | None

    @property
    def middle(self) -> float:
        row = self.left or self.right
        return row.middle if row else 0.0

    @property
    def is_two_sided(self) -> bool:
        return self.left is not None and self.right is not None


@dataclass(frozen=True, slots=True)
class _Region:
    """Rows of a page that are columns, and their lines in reading order."""

    first: int
    end: int
    lines: list[Line]


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """The lines of a page, with columns read one after the other."""
    if not 2 * _MIN_ROWS <= sum(len(line.segments) for line in lines) <= _MAX_SEGMENTS:
        return list(lines)
    if not _has_side_by_side(lines):
        return list(lines)
    rows, row_of_line = _rows(lines)
    regions = list(_regions(rows, lines, _MAX_DEPTH))
    if not regions:
        return list(lines)
    region_of_row = {row: region for region in regions for row in range(region.first, region.end)}
    ordered: list[Line] = []
    written: set[int] = set()
    for index, line in enumerate(lines):
        region = region_of_row.get(row_of_line.get(index, -1))
        if region is None:
            ordered.append(line)
        elif region.first not in written:
            written.add(region.first)
            ordered += region.lines
    return ordered


def _has_side_by_side(lines: Sequence[Line]) -> bool:
    """False if (almost) every line is one segment below the line before: there are no columns then."""
    placed = [line for line in lines if line.segments]
    several = sum(len(line.segments) > 1 for line in placed)
    return several + sum(two.box.top > one.box.middle for one, two in pairwise(placed)) >= _MIN_ROWS


def _rows(lines: Sequence[Line]) -> tuple[list[_Row], dict[int, int]]:
    """The lines that stand side by side, from the top, and the row of each line."""
    boxes = [(line.box, index) for index, line in enumerate(lines) if line.segments]
    groups: list[list[int]] = []
    top = Box(0, 0, 0, 0)
    for box, index in sorted(boxes, key=lambda item: -item[0].middle):
        if not groups or not box.is_on_line_of(top):
            groups.append([])
            top = box
        groups[-1].append(index)
    rows = [_row(_Piece(segment, index) for index in group for segment in lines[index].segments) for group in groups]
    return rows, {index: number for number, group in enumerate(groups) for index in group}


def _row(pieces: Iterator[_Piece]) -> _Row:
    return _Row(tuple(sorted(pieces, key=lambda piece: piece.segment.box.left)))


def _regions(rows: Sequence[_Row], lines: Sequence[Line], depth: int) -> Iterator[_Region]:
    """The columns among the rows, each with its lines."""
    used = [False] * len(rows)
    for _ in range(_MAX_GUTTERS if depth else 0):
        x = _gutter([row for row, is_used in zip(rows, used, strict=True) if not is_used])
        if x is None:
            return
        for first, end in list(_runs(rows, used, x)):
            used[first:end] = [True] * (end - first)
            if region := _region(rows, first, end, x, lines, depth):
                yield region
        used = [is_used or _is_divided(row, x) for row, is_used in zip(rows, used, strict=True)]


def _gutter(rows: Sequence[_Row]) -> float | None:
    """The x that lies in a gap of the most rows, at least three."""
    edges: list[tuple[float, int]] = []
    for row in rows:
        right = row.pieces[0].segment.box.right
        for piece in row.pieces[1:]:
            if piece.segment.box.left > right:
                edges += [(right, 1), (piece.segment.box.left, -1)]
            right = max(right, piece.segment.box.right)
    edges.sort()
    best, best_x, depth = _MIN_ROWS - 1, None, 0
    for (x, step), (next_x, _) in pairwise(edges):
        depth += step
        if depth > best:
            best, best_x = depth, (x + next_x) / 2
    return best_x


def _runs(rows: Sequence[_Row], used: Sequence[bool], x: float) -> Iterator[tuple[int, int]]:
    """Successive rows that do not cross x, from the first to the last that stands on both sides."""
    start: int | None = None
    for index, row in enumerate([*rows, None]):
        is_open = row is not None and not used[index] and not _crosses(row, x)
        if is_open and start is None:
            start = index
        elif not is_open and start is not None:
            yield from _trimmed(rows, start, index, x)
            start = None


def _crosses(row: _Row, x: float) -> bool:
    return any(piece.segment.box.left < x < piece.segment.box.right for piece in row.pieces)


def _is_divided(row: _Row, x: float) -> bool:
    return row.left < x < row.pieces[-1].segment.box.left and not _crosses(row, x)


def _trimmed(rows: Sequence[_Row], start: int, end: int, x: float) -> Iterator[tuple[int, int]]:
    """The run, divided at wide blanks, without the rows at its ends that do not continue a column."""
    both = [index for index in range(start, end) if _is_divided(rows[index], x)]
    if len(both) < _MIN_ROWS:
        return
    pitch = statistics.median(rows[one].middle - rows[two].middle for one, two in pairwise(both))
    limits = [
        index + 1
        for index in range(both[0], both[-1])
        if rows[index].middle - rows[index + 1].middle > _MAX_BLANK * pitch
    ]
    for part_start, part_end in pairwise([start, *limits, end]):
        part = [index for index in both if part_start <= index < part_end]
        if len(part) >= _MIN_ROWS:
            yield _extended(rows, part, part_start, part_end, _MAX_PITCH * pitch)


def _extended(rows: Sequence[_Row], both: Sequence[int], start: int, end: int, distance: float) -> tuple[int, int]:
    """From the first to the last row on both sides, and on to those that are not further away than a line."""
    first, last = both[0], both[-1]
    while first > start and rows[first - 1].middle - rows[first].middle <= distance:
        first -= 1
    while last + 1 < end and rows[last].middle - rows[last + 1].middle <= distance:
        last += 1
    return first, last + 1


def _region(rows: Sequence[_Row], first: int, end: int, x: float, lines: Sequence[Line], depth: int) -> _Region | None:
    splits = [_Split(*row.side(x)) for row in rows[first:end]]
    left = [split.left for split in splits if split.left is not None]
    right = [split.right for split in splits if split.right is not None]
    if not (_is_interleaved(splits) and _is_column(left) and _is_column(right)):
        return None
    text = "".join(row.text for row in left + right)
    is_rtl = len(_RTL.findall(text)) > len(text) / 2
    ordered: list[Line] = []
    for block in _blocks(splits):
        sides = [[split.left for split in block], [split.right for split in block]]
        for side in reversed(sides) if is_rtl else sides:
            ordered += _column_lines([row for row in side if row is not None], lines, depth - 1)
    return _Region(first, end, ordered)


def _is_interleaved(splits: Sequence[_Split]) -> bool:
    """True if the file draws most rows across both columns, or alternately left and right."""
    both = [split for split in splits if split.left is not None and split.right is not None]
    if len(both) < _MIN_ROWS:
        return False
    sides = {piece.line: side for split in splits for side, row in enumerate(split) if row for piece in row.pieces}
    in_file_order = [side for _, side in sorted(sides.items())]
    changes = sum(one != two for one, two in pairwise(in_file_order))
    across = sum(split.left.pieces[-1].line == split.right.pieces[0].line for split in both)  # type: ignore[union-attr]
    return 2 * across + changes >= len(both)


def _is_column(rows: Sequence[_Row]) -> bool:
    """True for running text."""
    if len(rows) < _MIN_ROWS:
        return False
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    if right - left < _MIN_COLUMN_WIDTH * statistics.median(row.height for row in rows):
        return False
    text = "".join("".join(row.text.split()) for row in rows)
    if len(_LETTER.findall(text)) < _MIN_LETTERS * len(text):
        return False
    full = [row.right - row.left >= _FULL * (right - left) for row in rows]
    continued = sum(map(_continues, rows, rows[1:], full))
    return sum(full) >= _MIN_FULL_LINES * len(rows) and continued >= _MIN_CONTINUED_LINES * (len(rows) - 1)


def _continues(line: _Row, following: _Row, is_full: bool) -> bool:
    """True if the following line goes on with the sentence; where there is no case, if the line is full."""
    start = following.text[:1]
    is_open = line.text.endswith((",", "-", LINE_END_HYPHEN))
    return start.islower() or is_open or (is_full and bool(_CASELESS.match(start)))


def _blocks(splits: Sequence[_Split]) -> list[list[_Split]]:
    """All rows, or the rows of a table whose cells have several lines.

    Between the rows of such a table there is some space on both sides, and its cells end at different heights.
    """
    pitches = [one.middle - two.middle for one, two in pairwise(splits)]
    pitch = statistics.median(pitches)
    blocks = [[splits[0]]]
    for distance, split in zip(pitches, splits[1:], strict=True):
        if distance > 1.25 * pitch and split.is_two_sided:
            blocks.append([])
        blocks[-1].append(split)
    is_table = len(blocks) > 2 and any(not block[-1].is_two_sided for block in blocks[:-1])
    return blocks if is_table else [list(splits)]


def _column_lines(rows: Sequence[_Row], lines: Sequence[Line], depth: int) -> list[Line]:
    """The lines of a column, which may be columns again."""
    regions = {region.first: region for region in _regions(rows, lines, depth)}
    ordered: list[Line] = []
    index = 0
    while index < len(rows):
        if index in regions:
            ordered += regions[index].lines
            index = regions[index].end
        else:
            ordered.append(_line(rows[index], lines))
            index += 1
    return ordered


def _line(row: _Row, lines: Sequence[Line]) -> Line:
    """The row as a line: the file's line if it is whole."""
    segments = tuple(piece.segment for piece in row.pieces)
    line = lines[row.pieces[0].line]
    if len(line.segments) != len(segments) or any(piece.line != row.pieces[0].line for piece in row.pieces):
        line = Line.of(segments)
    return line._replace(text=_BROKEN_WORD.sub(LINE_END_HYPHEN, line.text))
