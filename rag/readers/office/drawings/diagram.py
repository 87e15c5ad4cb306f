"""The texts of a diagram (SmartArt) as a list."""

from __future__ import annotations

from collections.abc import Iterator

from rag.readers.office.drawings.text import A, paragraph_text
from rag.readers.safe_xml import Element

_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
DIAGRAM = f"{_DGM}relIds"
"""The element by which a slide or document refers to a diagram."""
_MAX_INDENT = 8


def diagram_text(data: Element) -> str:
    """The list, nested as the diagram is.

    Args:
        data: The root of the diagram's data part.
    """
    return "\n".join(f"{'  ' * min(level, _MAX_INDENT)}- {text}" for level, text in _items(data))


def _items(data: Element) -> Iterator[tuple[int, str]]:
    """Each text with its level, from 0."""
    points = {point.get("modelId") or "": point for point in data.iter(f"{_DGM}pt")}
    children = _children(data)
    visited: set[str] = set()
    roots = [name for name, point in points.items() if point.get("type") == "doc"]
    for root in [*roots, *points]:  # then those that no connection reaches
        stack = [(0, root)]
        while stack:
            level, name = stack.pop()
            if name in visited or name not in points:
                continue
            visited.add(name)
            text = _text(points[name])
            if text:
                yield level, text
            below = level + 1 if text else level
            stack += [(below, child) for child in reversed(children.get(name, []))]


def _children(data: Element) -> dict[str, list[str]]:
    """The points below each point, in order."""
    ordered: dict[str, list[tuple[int, str]]] = {}
    for connection in data.iter(f"{_DGM}cxn"):
        if connection.get("type") in (None, "parOf"):
            order = connection.get("srcOrd") or ""
            position = int(order) if order.isdecimal() and len(order) < 10 else 0
            ordered.setdefault(connection.get("srcId") or "", []).append((position, connection.get("destId") or ""))
    return {name: [child for _, child in sorted(found, key=lambda pair: pair[0])] for name, found in ordered.items()}


def _text(point: Element) -> str:
    paragraphs = point.findall(f"{_DGM}t/{A}p")
    return " ".join(" ".join(text.split()) for paragraph in paragraphs if (text := paragraph_text(paragraph)))
