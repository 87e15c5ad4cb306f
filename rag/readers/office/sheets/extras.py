"""Reads the objects on an Excel sheet other than cells: notes, comments, text boxes, pictures and charts."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from typing import NamedTuple

from openpyxl.utils.cell import coordinate_to_tuple  # type: ignore[import-untyped]

from rag.readers.office.package import Package
from rag.readers.office.sheets.workbook import rich_text
from rag.readers.safe_xml import Element, parse_xml


class SheetExtras(NamedTuple):
    """What lies on a sheet."""

    notes: list[str]
    """`Note on B3: ...`, in the order of their cells."""
    text_boxes: list[str]
    pictures: int
    charts: int


def read_extras(archive: zipfile.ZipFile, part: str) -> SheetExtras:
    notes: dict[str, list[str]] = {}
    threads: dict[str, list[str]] = {}
    boxes: list[str] = []
    pictures = charts = 0
    names = set(archive.namelist())
    for relation in Package(archive).relations(part).values():
        if relation.kind not in ("comments", "threadedComment", "drawing") or relation.name not in names:
            continue
        root = parse_xml(archive.read(relation.name))
        if relation.kind == "comments":
            notes |= _comments(root, "comment")
        elif relation.kind == "threadedComment":
            threads |= _comments(root, "threadedComment")
        else:
            boxes += [text for shape in root.iter("{*}sp") if (text := _paragraphs(shape))]
            pictures += sum(1 for _ in root.iter("{*}pic"))
            charts += sum(1 for _ in root.iter("{*}graphicFrame"))
    found = {**notes, **threads}  # a thread is saved as a note, too, for older programs
    cells = sorted(found, key=coordinate_to_tuple)
    lines = [f"Note on {cell}: {' '.join(text.split())}" for cell in cells for text in found[cell]]
    return SheetExtras(lines, boxes, pictures, charts)


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
