"""Writes the charts, diagrams and pictures of a Word document as text, below the paragraph that they stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rag.readers.office.drawings.chart import read_chart
from rag.readers.office.drawings.diagram import DIAGRAM, diagram_text
from rag.readers.office.drawings.parts import alternative_text, is_decorative, related_drawing, unread_object
from rag.readers.office.drawings.text import A
from rag.readers.office.package import RELATION_ID, Package, Relation
from rag.readers.office.word import xml as word_xml
from rag.readers.office.word.xml import W
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.readers.tables.table import record_line
from rag.types import ReadingWarning

_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_VML_PICTURE = "{urn:schemas-microsoft-com:vml}imagedata"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_OLE = "{urn:schemas-microsoft-com:office:office}OLEObject"
_MAX_TABLE_CELLS = 5_000
"""A larger table would take minutes to convert, so its rows become paragraphs."""


def write_drawings(
    body: Element, package: Package, relations: Mapping[str, Relation], warn: Callable[[ReadingWarning], None]
) -> None:
    """Add the text to the body, and report what is not read."""
    unread_pictures: set[str] = set()
    for drawing in reversed(list(body.iter(f"{W}drawing"))):
        place = next(drawing.iterancestors(f"{W}p"), None)
        if place is None or next(drawing.iterancestors(_FALLBACK), None) is not None:
            continue
        for element in reversed(list(_blocks(drawing, package, relations, warn, unread_pictures))):
            place.addnext(element)
    for picture in body.iter(_VML_PICTURE):
        if next(picture.iterancestors(f"{W}object", _FALLBACK), None) is None:
            unread_pictures.add(picture.get(f"{RELATION_ID}id") or "")
    for embedded in body.iter(_OLE):
        warn(unread_object(embedded.get("ProgID") or ""))
    if unread_pictures:
        warn(warning("pictures_without_text", count=len(unread_pictures)))


def remove_drawings(body: Element) -> None:
    """The converter fails on a picture whose part is missing."""
    for drawing in list(body.iter(f"{W}drawing", _VML_PICTURE)):
        if (parent := drawing.getparent()) is not None:
            parent.remove(drawing)


def _blocks(
    drawing: Element,
    package: Package,
    relations: Mapping[str, Relation],
    warn: Callable[[ReadingWarning], None],
    unread_pictures: set[str],
) -> Iterator[Element]:
    properties = next(drawing.iter(f"{_WP}docPr"), None)
    description = alternative_text(properties)
    content = next((child for data in drawing.iter(f"{A}graphicData") for child in data), None)
    if content is not None and content.tag == DIAGRAM:
        relation = relations.get(content.get(f"{RELATION_ID}dm") or "")
        root = related_drawing(package, relation, "diagram", warn)
        for line in diagram_text(root).split("\n") if root is not None else ():
            yield _paragraph(line)
    elif content is not None and content.tag.endswith("}chart"):
        relation = relations.get(content.get(f"{RELATION_ID}id") or "")
        root = related_drawing(package, relation, "chart", warn)
        if root is not None:
            yield from _chart(root)
    elif description:
        yield _paragraph(description)
    elif not is_decorative(properties):
        for picture in drawing.iter(f"{A}blip"):
            if next(picture.iterancestors(f"{W}drawing"), None) is drawing:  # not one in a text box
                unread_pictures.add(picture.get(f"{RELATION_ID}embed") or "")


def _chart(root: Element) -> Iterator[Element]:
    chart = read_chart(root)
    if chart.heading:
        yield _paragraph(chart.heading)
    for rows in chart.tables:
        if len(rows) * len(rows[0]) <= _MAX_TABLE_CELLS:
            yield word_xml.table(rows)
        else:
            yield from (_paragraph(record_line(rows[0], row)) for row in rows[1:])


def _paragraph(text: str) -> Element:
    return word_xml.paragraph(word_xml.run(" ".join(text.split())))
