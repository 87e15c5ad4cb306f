"""The places of placeholders, which a slide takes from its layout, and the layout from its master."""

from __future__ import annotations

from collections.abc import Mapping

from rag.errors import BrokenFile
from rag.readers.office.package import Package
from rag.readers.office.slides.reading_order import P, ShapeBox, box_of
from rag.readers.safe_xml import Element

_MASTER_TYPES = {"ctrTitle": "title", "dt": "dt", "ftr": "ftr", "sldNum": "sldNum", "title": "title"}
"""The master's placeholder for each type; `body` for all others."""


class PlaceholderBoxes:
    """The places of the placeholders of one layout; none if there is no layout or it is damaged.

    Args:
        layout: The name of the layout's part.
    """

    def __init__(self, package: Package, layout: str) -> None:
        master = next((name for kind, name in _relations(package, layout) if kind == "slideMaster"), "")
        self._by_type = {kind: box for _, kind, box in _boxes(package, master, {})}
        self._by_index = {index: box for index, _, box in _boxes(package, layout, self._by_type)}

    def box(self, shape: Element) -> ShapeBox | None:
        """The place of a slide's placeholder that has none itself; None for other shapes."""
        placeholder = _placeholder(shape)
        if placeholder is None:
            return None
        index, kind = placeholder
        return self._by_index.get(index) or self._by_type.get(_MASTER_TYPES.get(kind, "body"))


def placeholder_type(shape: Element) -> str:
    """Such as `title` or `body`; empty for a shape that is no placeholder."""
    placeholder = _placeholder(shape)
    return placeholder[1] if placeholder else ""


def _placeholder(shape: Element) -> tuple[str, str] | None:
    """Its index and type. Title placeholders have no index of their own."""
    found = next((child for part in shape for child in part.findall(f"{P}nvPr/{P}ph")), None)
    if found is None:
        return None
    kind = found.get("type") or "obj"
    return _MASTER_TYPES.get(kind) or found.get("idx") or "0", kind


def _boxes(package: Package, name: str, masters: Mapping[str, ShapeBox]) -> list[tuple[str, str, ShapeBox]]:
    """The placeholders of a layout or master: index, type of the master's placeholder, place."""
    try:
        tree = package.parse(name).find(f"{P}cSld/{P}spTree")
    except (KeyError, BrokenFile):
        return []
    found = []
    for shape in tree if tree is not None else ():
        if placeholder := _placeholder(shape):
            index, kind = placeholder
            kind = _MASTER_TYPES.get(kind, "body")
            if box := box_of(shape) or masters.get(kind):
                found.append((index, kind, box))
    return found


def _relations(package: Package, name: str) -> list[tuple[str, str]]:
    try:
        return list(package.relations(name).values()) if name else []
    except BrokenFile:
        return []
