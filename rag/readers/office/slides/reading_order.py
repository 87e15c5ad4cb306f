"""The order in which the shapes of a slide are read: top to bottom, and left to right within a row.

The file has them in the order of drawing, which is the order in which they were added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rag.readers.office.drawings.text import A
from rag.readers.safe_xml import Element

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
GROUP = f"{P}grpSp"
_SHAPES = frozenset(P + name for name in ("sp", "pic", "graphicFrame", "cxnSp", "contentPart", "grpSp"))
_TRANSFORMS = tuple(f"{P}{path}" for path in (f"spPr/{A}xfrm", "xfrm", f"grpSpPr/{A}xfrm"))
_COORDINATE = re.compile(r"-?\d{1,12}")
_INCH = 914_400
_TOLERANCE = _INCH / 10
_MAX_COMPARED = 200
"""Shapes beside a group that are compared with it: more than this are not drawn by hand."""


class ShapeBox(NamedTuple):
    """A place on the slide, in English Metric Units."""

    left: float
    top: float
    width: float
    height: float

    def contains(self, other: ShapeBox) -> bool:
        """Whether the middle of the other is within this one."""
        x, y = other.left + other.width / 2, other.top + other.height / 2
        return self.left < x < self.left + self.width and self.top < y < self.top + self.height


class _Transform(NamedTuple):
    """From a group's coordinates to the slide's."""

    x: float = 0
    y: float = 0
    x_scale: float = 1
    y_scale: float = 1

    def apply(self, box: ShapeBox) -> ShapeBox:
        return ShapeBox(
            self.x + box.left * self.x_scale,
            self.y + box.top * self.y_scale,
            box.width * self.x_scale,
            box.height * self.y_scale,
        )


@dataclass(frozen=True, slots=True)
class _Node:
    """A shape with those in it, if it is a group."""

    element: Element | None
    """None for a heading and the box below it."""
    box: ShapeBox
    parts: tuple[_Node, ...] = ()


def shapes_in_reading_order(tree: Element, inherited: Callable[[Element], ShapeBox | None]) -> Iterator[Element]:
    """The shapes. A group comes before its shapes; the XML parser limits how deep groups are nested.

    Args:
        tree: The slide's `p:spTree`.
        inherited: The place of a shape that has none itself: its placeholder's.
    """
    return _ordered(_nodes(tree, _Transform(), inherited))


def box_of(shape: Element) -> ShapeBox | None:
    """The place of a shape in the coordinates of its group; None if it has none itself."""
    transform = next((found for path in _TRANSFORMS if (found := shape.find(path)) is not None), None)
    return _box(transform, "off", "ext") if transform is not None else None


def _box(transform: Element, offset: str, extent: str) -> ShapeBox | None:
    start, size = transform.find(A + offset), transform.find(A + extent)
    if start is None or size is None:
        return None
    numbers = [start.get("x"), start.get("y"), size.get("cx"), size.get("cy")]
    if not all(number and _COORDINATE.fullmatch(number) for number in numbers):
        return None
    return ShapeBox(*(float(number or 0) for number in numbers))


def _nodes(parent: Element, transform: _Transform, inherited: Callable[[Element], ShapeBox | None]) -> list[_Node]:
    """A shape whose place is unknown is read after the one before it in the file."""
    nodes: list[_Node] = []
    for shape in parent:
        if shape.tag not in _SHAPES:
            continue
        own = box_of(shape)
        box = transform.apply(own) if own else inherited(shape) or (nodes[-1].box if nodes else ShapeBox(0, 0, 0, 0))
        parts = _nodes(shape, _within(shape, transform), inherited) if shape.tag == GROUP else []
        nodes.append(_Node(shape, box if own or not parts else _around(parts), tuple(parts)))
    return nodes


def _within(group: Element, outer: _Transform) -> _Transform:
    element = group.find(f"{P}grpSpPr/{A}xfrm")
    box = _box(element, "off", "ext") if element is not None else None
    inner = _box(element, "chOff", "chExt") if element is not None else None
    if box is None or inner is None:
        return outer
    x_scale = box.width / inner.width if inner.width else 1
    y_scale = box.height / inner.height if inner.height else 1
    return _Transform(
        outer.x + (box.left - inner.left * x_scale) * outer.x_scale,
        outer.y + (box.top - inner.top * y_scale) * outer.y_scale,
        outer.x_scale * x_scale,
        outer.y_scale * y_scale,
    )


def _around(nodes: Sequence[_Node]) -> ShapeBox:
    left, top = min(node.box.left for node in nodes), min(node.box.top for node in nodes)
    right = max(node.box.left + node.box.width for node in nodes)
    bottom = max(node.box.top + node.box.height for node in nodes)
    return ShapeBox(left, top, right - left, bottom - top)


def _ordered(nodes: Sequence[_Node]) -> Iterator[Element]:
    for node in _in_rows(_with_headings(_without_overlaid_groups(nodes))):
        if node.element is None:
            for part in node.parts:
                yield from _ordered([part])
        else:
            yield node.element
            yield from _ordered(node.parts)


def _without_overlaid_groups(nodes: Sequence[_Node]) -> list[_Node]:
    """A group is read as a whole, unless other text stands within it: then its shapes are read one by one."""
    if len(nodes) > _MAX_COMPARED:
        return list(nodes)
    texts = [node for node in nodes if node.element is not None and _has_text(node.element)]
    separate: list[_Node] = []
    for node in nodes:
        if node.parts and any(node.box.contains(other.box) for other in texts if other is not node):
            separate += [_Node(node.element, node.box), *node.parts]
        else:
            separate.append(node)
    return separate


def _has_text(shape: Element) -> bool:
    return shape.tag == f"{P}graphicFrame" or next(shape.iter(f"{A}t"), None) is not None


def _with_headings(nodes: Sequence[_Node]) -> list[_Node]:
    """A low box right above a higher one of the same width is its heading, and is read with it."""
    columns: dict[tuple[int, int], list[int]] = {}
    for index, node in enumerate(nodes):
        if not node.parts and node.element is not None and _has_text(node.element):
            columns.setdefault((round(node.box.left / _TOLERANCE), round(node.box.width / _TOLERANCE)), []).append(
                index
            )
    joined: list[_Node | None] = list(nodes)
    for column in columns.values():
        column.sort(key=lambda index: nodes[index].box.top)
        for upper, lower in pairwise(column):
            heading, body = joined[upper], joined[lower]
            if heading is not None and body is not None and _is_heading(heading.box, body.box):
                joined[upper], joined[lower] = None, _Node(None, _around((heading, body)), (heading, body))
    return [node for node in joined if node is not None]


def _is_heading(upper: ShapeBox, lower: ShapeBox) -> bool:
    gap = lower.top - (upper.top + upper.height)
    return 0 < upper.height * 2 <= lower.height and abs(gap) <= 2 * _TOLERANCE


def _in_rows(nodes: Sequence[_Node]) -> Iterator[_Node]:
    """A shape is in the row of the one above it if it begins in the upper half of it."""
    row: list[_Node] = []
    for node in sorted(nodes, key=lambda node: node.box.top):
        if row and node.box.top - row[0].box.top > _reach(row[0].box, node.box):
            yield from _left_to_right(row)
            row = []
        row.append(node)
    yield from _left_to_right(row)


def _reach(first: ShapeBox, other: ShapeBox) -> float:
    return max(min(first.height, other.height) / 2, _TOLERANCE)


def _left_to_right(row: list[_Node]) -> list[_Node]:
    return sorted(row, key=lambda node: node.box.left)
