"""Reads the charts and diagrams on an Excel sheet, and on the sheets that consist of a chart.

Some programs save a chart without its values: they are then taken from the cells that it refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from lxml import etree  # type: ignore[import-untyped]
from openpyxl.utils.cell import range_to_tuple  # type: ignore[import-untyped]

from rag.readers.office.drawings.chart import CHART, chart_blocks
from rag.readers.office.drawings.diagram import DIAGRAM, diagram_text
from rag.readers.office.drawings.parts import Place, related_drawing, unread_object
from rag.readers.office.package import RELATION_ID, Package, Relation
from rag.readers.office.sheets.worksheet import Worksheet
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.types import ReadingWarning

_MAX_POINTS = 5_000
"""The limit for a series that is taken from cells."""
_MAX_CHARTS = 500
"""On a sheet."""

FindSheet = Callable[[str], Worksheet | None]
"""Finds a sheet by its name; None if there is none."""


def graphic_blocks(
    drawing: Element,
    package: Package,
    relations: Mapping[str, Relation],
    find_sheet: FindSheet,
    sheet_name: str,
    warn: Callable[[ReadingWarning], None],
) -> Iterator[str]:
    """The text of each chart and diagram of a drawing; what is not read is reported."""
    place: Place = ("sheet", sheet_name)
    for frame in list(drawing.iter("{*}graphicFrame"))[:_MAX_CHARTS]:
        content = next((child for data in frame.iter("{*}graphicData") for child in data), None)
        if content is not None and content.tag == DIAGRAM:
            relation = relations.get(content.get(f"{RELATION_ID}dm") or "")
            root = related_drawing(package, relation, "diagram", warn, place)
            yield diagram_text(root) if root is not None else ""
        elif content is not None and content.tag.endswith("}chart"):
            relation = relations.get(content.get(f"{RELATION_ID}id") or "")
            root = related_drawing(package, relation, "chart", warn, place)
            if root is not None:
                _add_values(root, find_sheet)
                blocks = list(chart_blocks(root))
                if not any(blocks):
                    warn(warning("chart_empty", place="sheet", name=sheet_name))
                yield from blocks
        else:
            warn(unread_object("", place))


def _add_values(chart: Element, find_sheet: FindSheet) -> None:
    """Save with the chart the values that it only refers to."""
    for reference in list(chart.iter(f"{CHART}numRef", f"{CHART}strRef", f"{CHART}multiLvlStrRef")):
        if next(reference.iter(f"{CHART}pt"), None) is None:
            cache = etree.SubElement(reference, f"{CHART}strCache")
            for index, text in enumerate(_cells(reference.findtext(f"{CHART}f") or "", find_sheet)):
                if text:
                    etree.SubElement(etree.SubElement(cache, f"{CHART}pt", idx=str(index)), f"{CHART}v").text = text


def _cells(reference: str, find_sheet: FindSheet) -> Sequence[str]:
    """The texts of the cells in a reference such as `'Sales 2024'!$B$2:$B$7`."""
    try:
        name, (first_column, first_row, last_column, last_row) = range_to_tuple(reference)
    except (ValueError, TypeError):
        return ()
    sheet = find_sheet(name)
    columns, rows = range(first_column, last_column + 1), range(first_row, last_row + 1)
    if sheet is None or len(columns) * len(rows) > _MAX_POINTS:
        return ()
    return [sheet.rows.get(row, {}).get(column, "") for row in rows for column in columns]
