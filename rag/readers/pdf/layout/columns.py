"""Reads columns one after the other where the file draws their lines side by side.

The lines of most files with columns are in reading order already, and stay as they are. Columns are recognized by a
strip without text, the gutter, and by what is on both sides of it (`column_kinds`). The rows of a table stay rows.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex

from rag.readers.pdf.layout.column_kinds import are_columns
from rag.readers.pdf.layout.hyphenation import LINE_END_HYPHEN
from rag.readers.pdf.layout.page_lines import PageLine
from rag.readers.pdf.layout.page_rows import MIN_ROWS, PageRow, Split, gutters, page_rows, runs

_MAX_SEGMENTS = 5_000
"""A page with more is left in the file's order."""
_MAX_DEPTH = 2
_SAME_COUNT = 0.8
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u2010]$")
_RTL = regex.compile(r"[\p{Script=Hebrew}\p{Script=Arabic}]")


@dataclass(frozen=True, slots=True)
class _Region:
    """Rows of a page that are columns, and their lines in reading order."""

    first: int
    end: int
    lines: list[PageLine]


def lines_in_reading_order(lines: Sequence[PageLine]) -> list[PageLine]:
    """The lines of a page, with columns read one after the other."""
    if not 2 * MIN_ROWS <= sum(len(line.segments) for line in lines) <= _MAX_SEGMENTS:
        return list(lines)
    if not _has_side_by_side(lines):
        return list(lines)
    rows, row_of_line = page_rows(lines)
    regions = list(_regions(rows, lines, _MAX_DEPTH))
    if not regions:
        return list(lines)
    region_of_row = {row: region for region in regions for row in range(region.first, region.end)}
    ordered: list[PageLine] = []
    written: set[int] = set()
    for index, line in enumerate(lines):
        region = region_of_row.get(row_of_line.get(index, -1))
        if region is None:
            ordered.append(line)
        elif region.first not in written:
            written.add(region.first)
            ordered += region.lines
    return ordered


def _has_side_by_side(lines: Sequence[PageLine]) -> bool:
    """False if (almost) every line is one segment below the line before: there are no columns then."""
    placed = [line for line in lines if line.segments]
    several = sum(len(line.segments) > 1 for line in placed)
    return several + sum(two.box.top > one.box.middle for one, two in pairwise(placed)) >= MIN_ROWS


def _regions(rows: Sequence[PageRow], lines: Sequence[PageLine], depth: int) -> Iterator[_Region]:
    """The columns among the rows, each with its lines.

    Rows that are no columns at one gutter are those of a table, and looked at again only for gutters of as many rows.
    """
    taken = [0.0] * len(rows)
    for gutter in gutters(rows) if depth else ():
        used = [_SAME_COUNT * count > gutter.rows for count in taken]
        for first, end in list(runs(rows, used, gutter.x)):
            region = _region(rows, first, end, gutter.x, lines, depth)
            taken[first:end] = [math.inf if region else gutter.rows] * (end - first)
            if region:
                yield region
        taken = [max(count, gutter.rows * row.is_divided(gutter.x)) for row, count in zip(rows, taken, strict=True)]


def _region(
    rows: Sequence[PageRow], first: int, end: int, x: float, lines: Sequence[PageLine], depth: int
) -> _Region | None:
    splits = [row.split(x) for row in rows[first:end]]
    if not (_is_interleaved(splits) and are_columns(splits)):
        return None
    text = "".join(row.text for row in rows[first:end])
    is_rtl = len(_RTL.findall(text)) > len(text) / 2
    ordered: list[PageLine] = []
    for block in _blocks(splits):
        sides = [[split.left for split in block], [split.right for split in block]]
        for side in reversed(sides) if is_rtl else sides:
            ordered += _column_lines([row for row in side if row is not None], lines, depth - 1)
    return _Region(first, end, ordered)


def _is_interleaved(splits: Sequence[Split]) -> bool:
    """True if the file draws most rows across both columns, or alternately left and right."""
    both = [split for split in splits if split.left is not None and split.right is not None]
    if len(both) < MIN_ROWS:
        return False
    sides = {piece.line: side for split in splits for side, row in enumerate(split) if row for piece in row.pieces}
    in_file_order = [side for _, side in sorted(sides.items())]
    changes = sum(one != two for one, two in pairwise(in_file_order))
    across = sum(split.left.pieces[-1].line == split.right.pieces[0].line for split in both)  # type: ignore[union-attr]
    return 2 * across + changes >= len(both)


def _blocks(splits: Sequence[Split]) -> list[list[Split]]:
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


def _column_lines(rows: Sequence[PageRow], lines: Sequence[PageLine], depth: int) -> list[PageLine]:
    """The lines of a column, which may be columns again."""
    regions = {region.first: region for region in _regions(rows, lines, depth)}
    ordered: list[PageLine] = []
    index = 0
    while index < len(rows):
        if index in regions:
            ordered += regions[index].lines
            index = regions[index].end
        else:
            ordered.append(_line(rows[index], lines))
            index += 1
    return ordered


def _line(row: PageRow, lines: Sequence[PageLine]) -> PageLine:
    """The row as a line: the file's line if it is whole."""
    segments = tuple(piece.segment for piece in row.pieces)
    line = lines[row.pieces[0].line]
    if len(line.segments) != len(segments) or any(piece.line != row.pieces[0].line for piece in row.pieces):
        line = PageLine.of(segments)
    return line._replace(text=_BROKEN_WORD.sub(LINE_END_HYPHEN, line.text))
