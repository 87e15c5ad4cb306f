"""Reads the objects on an Excel sheet other than cells: notes, comments, text boxes, charts and pictures."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from openpyxl.utils.cell import coordinate_to_tuple  # type: ignore[import-untyped]

from rag.readers.office.package import Package, choose_alternatives
from rag.readers.office.sheets.charts import FindSheet, graphic_blocks
from rag.readers.office.sheets.workbook import SheetPart, rich_text
from rag.readers.safe_xml import Element
from rag.types import ReadingWarning


class SheetExtras(NamedTuple):
    """What lies on a sheet."""

    notes: list[str]
    """`Note on B3: ...`, in the order of their cells."""
    text_boxes: list[str]
    graphics: list[str]
    """The text of charts and diagrams."""
    pictures: int


def read_extras(
    archive: zipfile.ZipFile, sheet: SheetPart, find_sheet: FindSheet, warn: Callable[[ReadingWarning], None]
) -> SheetExtras:
    package = Package(archive)
    notes: dict[str, list[str]] = {}
    threads: dict[str, list[str]] = {}
    boxes: list[str] = []
    graphics: list[str] = []
    pictures = 0
    for relation in package.relations(sheet.part).values():
        if relation.kind not in ("comments", "threadedComment", "drawing") or relation.name not in package:
            continue
        root = package.parse(relation.name)
        if relation.kind == "comments":
            notes |= _comments(root, "comment")
        elif relation.kind == "threadedComment":
            threads |= _comments(root, "threadedComment")
        else:
            choose_alternatives(root)
            boxes += [text for shape in root.iter("{*}sp") if (text := _paragraphs(shape))]
            pictures += sum(1 for _ in root.iter("{*}pic"))
            related = package.relations(relation.name)
            graphics += graphic_blocks(root, package, related, find_sheet, sheet.name, warn)
    found = {**notes, **threads}  # a thread is saved as a note, too, for older programs
    cells = sorted(found, key=coordinate_to_tuple)
    lines = [f"Note on {cell}: {' '.join(text.split())}" for cell in cells for text in found[cell]]
    return SheetExtras(lines, boxes, [text for text in graphics if text], pictures)


def _comments(root: Element, name: str) -> dict[str, list[str]]:
    """The comments by the name of their cell."""
    found: dict[str, list[str]] = defaultdict(list)
    for comment in root.iter(f"{{*}}{name}"):
        text = comment.find("{*}text")
        content = "" if text is None else rich_text(text) or text.text or ""
        if content.strip() and (cell := comment.get("ref")):
            found[cell].append(content)
    return found


def _paragraphs(shape: Element) -> str:
    paragraphs = ("".join(text.text or "" for text in item.iter("{*}t")) for item in shape.iter("{*}p"))
    return "\n".join(filter(None, map(str.strip, paragraphs)))
