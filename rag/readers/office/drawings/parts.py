"""Resolves references to charts, diagrams and pictures, which slides and documents share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from rag.errors import BrokenFile
from rag.readers.office.package import Package, Relation, choose_alternatives
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.types import ReadingWarning

_DECORATIVE = "{http://schemas.microsoft.com/office/drawing/2017/decorative}decorative"
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|bmp|tiff?|svg|emf|wmf|webp|heic)", re.IGNORECASE)
"""What some programs write in place of a description."""
_GENERATED = re.compile(
    r"\s*(?:Description automatically generated(?: with \w+ confidence)?|AI-generated content may be incorrect)\.?$"
)
"""What Office appends to descriptions that it writes itself."""


Place: TypeAlias = tuple[Literal["slide", "notes", "sheet"], str | int]
"""Where in a file something is: a place of `rag.readers.reading_report.PLACES`, and its name or number."""


def related_drawing(
    package: Package,
    relation: Relation | None,
    what: Literal["chart", "diagram"],
    warn: Callable[[ReadingWarning], None],
    place: Place | None = None,
) -> Element | None:
    """The root of a chart or diagram; None if it cannot be read, which is reported."""
    if relation is None or relation.name not in package:
        warn(warning(f"{what}_missing", **_values(place)))
        return None
    try:
        root = package.parse(relation.name)
    except BrokenFile:
        warn(warning(f"{what}_damaged", **_values(place)))
        return None
    choose_alternatives(root)
    return root


def unread_object(type_name: str, place: Place | None = None) -> ReadingWarning:
    """The warning about an embedded object; its type may not be known."""
    if not type_name:
        return warning("embedded_object", **_values(place))
    return warning("embedded_object_of_type", type=type_name, **_values(place))


def _values(place: Place | None) -> dict[str, str | int]:
    return {} if place is None else {"place": place[0], "name": place[1]}


def alternative_text(properties: Element | None) -> str:
    """The alternative text of a shape or picture: `Picture: a pump with two valves`; empty if it has none.

    Args:
        properties: The element with its name and description, such as `p:cNvPr`.
    """
    text = " ".join(((properties.get("descr") if properties is not None else None) or "").split())
    text = _GENERATED.sub("", text)
    return f"Picture: {text}" if text and not _FILE_NAME.fullmatch(text) else ""


def is_decorative(properties: Element | None) -> bool:
    marks = properties.iter(_DECORATIVE) if properties is not None else ()
    return any(mark.get("val") in ("1", "true") for mark in marks)
