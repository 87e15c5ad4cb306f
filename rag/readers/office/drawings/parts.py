"""Resolves references to charts, diagrams and pictures, which slides and documents share."""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.errors import BrokenFile
from rag.readers.office.package import Package, Relation, choose_alternatives
from rag.readers.safe_xml import Element

_DECORATIVE = "{http://schemas.microsoft.com/office/drawing/2017/decorative}decorative"
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|bmp|tiff?|svg|emf|wmf|webp|heic)", re.IGNORECASE)
"""What some programs write in place of a description."""
_GENERATED = re.compile(
    r"\s*(?:Description automatically generated(?: with \w+ confidence)?|AI-generated content may be incorrect)\.?$"
)
"""What Office appends to descriptions that it writes itself."""


def related_drawing(
    package: Package, relation: Relation | None, what: str, warn: Callable[[str], None]
) -> Element | None:
    """The root of a chart or diagram; None if it cannot be read, which is reported.

    Args:
        what: What the report calls it: `the chart on slide 3`.
    """
    if relation is None or relation.name not in package:
        warn(f"{what} was not read: its data is missing")
        return None
    try:
        root = package.parse(relation.name)
    except BrokenFile:
        warn(f"{what} was not read: its data is damaged")
        return None
    choose_alternatives(root)
    return root


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
