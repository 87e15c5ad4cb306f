"""Writes the values of form fields beside their labels: `Inspector: Maren Oduya`, `[x] Accepted`.

The label is the text left of a field, or above it, or right of a check box. A field without one is written after the
text of the page, with the name that the form gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from rag.readers.pdf.annotations import Field
from rag.readers.pdf.layout.box import Box
from rag.readers.pdf.layout.page_lines import PageLine, Segment

_MAX_COMPARISONS = 1_000_000
"""Of fields with the lines of their page; with more, fields are written after the text."""
_NEAR = 1.5
"""The distance of a label above a field, or right of a check box, as a multiple of the label's height."""
_LABEL_END = (":", "?", ".", "…", "_", "：", "？")


class _Label(NamedTuple):
    line: int
    segment: int
    """Indexes of the line and of its segment."""


def with_fields(lines: Sequence[PageLine], fields: Sequence[Field]) -> list[PageLine]:
    """The lines of a page, with the values of its fields."""
    filled = list(lines)
    unlabelled: list[PageLine] = []
    segments = sum(len(line.segments) for line in lines) + len(fields)
    compares = len(fields) * segments <= _MAX_COMPARISONS
    values = {field.box for field in fields}
    for field in fields:
        if not (compares and _is_placed(filled, field, values)):
            unlabelled.append(PageLine(f"{field.name}: {field.text}" if field.name else field.text))
    return filled + unlabelled


def _is_placed(lines: list[PageLine], field: Field, values: AbstractSet[Box]) -> bool:
    """Write the field beside its label; False if there is none."""
    value = Segment(field.text, field.box)
    if field.is_button and (label := _right_of(lines, field)):
        _insert(lines, label, [value, _segment(lines, label)])
        return True
    label = _left_of(lines, field) or (None if field.is_button else _above(lines, field))
    if label is None:
        return False
    before = _segment(lines, label)
    if before.box not in values and not before.text.endswith(_LABEL_END):
        before = before._replace(text=f"{before.text}:")
    _insert(lines, label, [before, value])
    return True


def _left_of(lines: Sequence[PageLine], field: Field) -> _Label | None:
    tolerance = field.box.height / 2
    found = (
        (segment.box.right, segment.box.top, label)
        for label, segment in _segments(lines)
        if segment.box.is_on_line_of(field.box) and segment.box.right <= field.box.left + tolerance
    )
    return max(found, default=(0.0, 0.0, None))[2]


def _right_of(lines: Sequence[PageLine], field: Field) -> _Label | None:
    found = (
        (segment.box.left, label)
        for label, segment in _segments(lines)
        if segment.box.is_on_line_of(field.box)
        and -1 <= segment.box.left - field.box.right <= _NEAR * segment.box.height
    )
    return min(found, default=(0.0, None))[1]


def _above(lines: Sequence[PageLine], field: Field) -> _Label | None:
    found = (
        (segment.box.bottom, label)
        for label, segment in _segments(lines)
        if segment.box.left < field.box.right
        and field.box.left < segment.box.right
        and -segment.box.height / 2 <= segment.box.bottom - field.box.top <= _NEAR * segment.box.height
    )
    return min(found, default=(0.0, None))[1]


def _segments(lines: Sequence[PageLine]) -> Iterator[tuple[_Label, Segment]]:
    for number, line in enumerate(lines):
        for index, segment in enumerate(line.segments):
            yield _Label(number, index), segment


def _segment(lines: Sequence[PageLine], label: _Label) -> Segment:
    return lines[label.line].segments[label.segment]


def _insert(lines: list[PageLine], label: _Label, parts: Sequence[Segment]) -> None:
    segments = list(lines[label.line].segments)
    segments[label.segment : label.segment + 1] = parts
    lines[label.line] = PageLine.of(segments)
