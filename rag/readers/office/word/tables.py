"""Makes the tables of a Word document plain grids: one header row, no merged cells, no tables within cells."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from itertools import islice, takewhile
from typing import NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from rag.readers.office.merged_cells import (
    MAX_REPEATED_CHARS,
    Cell,
    caption_count,
    header_count,
    is_caption,
)
from rag.readers.office.word import xml as word_xml
from rag.readers.office.word.xml import W
from rag.readers.safe_xml import Element
from rag.readers.tables.table_header import NAME_SEPARATOR

_MAX_COLUMNS = 63
"""Word's limit for one table."""
_MAX_COPIED_ELEMENTS = 200_000
"""Copies for merged cells in one document; the cells of further tables stay empty."""
_MAX_CELL_ELEMENTS = 500
_MERGE_MARKS = tuple(W + name for name in ("gridSpan", "vMerge", "hMerge"))
_NUMBER = re.compile(r"[1-9]\d{0,5}")


class _Place(NamedTuple):
    """A place in the grid of a table."""

    element: Element
    cell: Cell


def rewrite_tables(body: Element) -> None:
    """Rewrite the tables in place. A table in a cell of a data table becomes lines, `column: value; column: value`."""
    tables = list(body.iter(f"{W}tbl"))
    for table in tables:
        _unwrap_controls(table)
    data = {table for table in tables if _is_data(table)}
    grids = _Grids()
    for table in reversed(tables):  # the inner ones first
        if table in data:
            _rewrite(table, grids)
        outer = next(table.iterancestors(f"{W}tbl"), None)
        if outer in data:
            for line in _lines(table):
                table.addprevious(line)
            if (parent := table.getparent()) is not None:
                parent.remove(table)


def _unwrap_controls(table: Element) -> None:
    """Rows and cells may be in content controls."""
    for parent in (table, *table.iter(f"{W}tr")):
        while controls := parent.findall(f"{W}sdt"):
            for control in controls:
                content = control.find(f"{W}sdtContent")
                for child in list(content) if content is not None else ():
                    control.addprevious(child)
                parent.remove(control)


def _is_data(table: Element) -> bool:
    rows = table.findall(f"{W}tr")
    return len(rows) > 1 and max(len(row.findall(f"{W}tc")) for row in rows) > 1


def _rewrite(table: Element, grids: _Grids) -> None:
    rows = table.findall(f"{W}tr")
    declared = sum(1 for _ in takewhile(_is_header, rows))
    places = grids.places(rows)
    grid = [[place.cell for place in row] for row in places]
    captions = caption_count(grid)
    for row, (first, *_) in zip(rows[:captions], places, strict=False):
        for block in _content(first.element):
            table.addprevious(block)
        table.remove(row)
    count = max(declared - captions, header_count(grid[captions:]), 0)
    rows, places = rows[captions:], places[captions:]
    if 0 < count < len(rows):
        _join_header(table, rows[:count], places[:count])
    for cells in places[count:]:
        if is_caption([place.cell for place in cells]):
            for place in cells[1:]:
                _replace_content(place.element, ())


def _join_header(table: Element, rows: Sequence[Element], places: Sequence[Sequence[_Place]]) -> None:
    """Put the names of all header rows into the last, `2023 / Q1`, and declare it to be the header."""
    for row in rows[:-1]:
        table.remove(row)
    if not _is_header(rows[-1]):
        properties: Element = etree.Element(f"{W}trPr")
        properties.append(etree.Element(f"{W}tblHeader"))
        rows[-1].insert(0, properties)
    for column in zip(*places, strict=False):
        names = {place.cell.text: place.element for place in column if place.cell.text}
        _replace_content(column[-1].element, _joined(list(names.values())))


def _joined(names: Sequence[Element]) -> list[Element]:
    """The content of cells in one line, with separators."""
    if len(names) == 1:
        return _content(names[0])
    line = word_xml.paragraph()
    for name in names:
        if len(line):
            line.append(word_xml.run(NAME_SEPARATOR))
        for run in list(name.iter(f"{W}r")):
            line.append(run)
    return [line]


def _is_header(row: Element) -> bool:
    return word_xml.is_on(row.find(f"{W}trPr/{W}tblHeader"))


class _Grids:
    """Spreads merged cells over the places that they cover, up to a limit for the document."""

    def __init__(self) -> None:
        self._left = _MAX_COPIED_ELEMENTS

    def places(self, rows: Sequence[Element]) -> list[list[_Place]]:
        """The grid of a table, whose rows get one cell for each place."""
        grid: list[list[_Place]] = []
        for row in rows:
            grid.append(self._spread(row, grid[-1] if grid else []))
            for cell in row.findall(f"{W}tc"):
                row.remove(cell)
            for place in grid[-1]:
                row.append(place.element)
        return grid

    def _spread(self, row: Element, above: Sequence[_Place]) -> list[_Place]:
        before = self._allowed(word_xml.value(row, "trPr/gridBefore"), 0)
        places = [_Place(_new_cell(), Cell("")) for _ in range(before)]
        for element in row.findall(f"{W}tc"):
            properties = element.find(f"{W}tcPr")
            is_above = _continues(properties, "vMerge") and len(places) < len(above)
            is_left = not is_above and _continues(properties, "hMerge") and bool(places)
            if is_above or is_left:
                source = above[len(places)] if is_above else places[-1]
                _replace_content(element, self._copied(source.element))
            text = _text(element)
            places.append(_Place(element, Cell(text, is_left, is_above)))
            more = self._allowed(word_xml.value(properties, "gridSpan"), len(places)) - 1
            for _ in range(more):
                copied = _new_cell(self._copied(element))
                places.append(_Place(copied, Cell(_text(copied), True, is_above)))
            _remove_merge_marks(properties)
        return places

    def _allowed(self, number: str | None, columns: int) -> int:
        """A number of places, up to the limits of the document and the row."""
        count = int(number) if number and _NUMBER.fullmatch(number) else 0
        count = max(0, min(count, _MAX_COLUMNS - columns, self._left))
        self._left -= count
        return count

    def _copied(self, cell: Element) -> list[Element]:
        """A copy of the cell's content, if it is short."""
        size = sum(1 for _ in islice(cell.iter(), _MAX_CELL_ELEMENTS + 1))
        if size > min(_MAX_CELL_ELEMENTS, self._left) or len(_text(cell)) > MAX_REPEATED_CHARS:
            return []
        self._left -= size
        return [copy.deepcopy(block) for block in _content(cell)]


def _continues(properties: Element | None, kind: str) -> bool:
    """Whether the cell is merged with the one before it, above (`vMerge`) or on the left (`hMerge`)."""
    mark = properties.find(W + kind) if properties is not None else None
    return mark is not None and mark.get(f"{W}val") in (None, "", "continue")


def _remove_merge_marks(properties: Element | None) -> None:
    for mark in list(properties) if properties is not None else ():
        if properties is not None and mark.tag in _MERGE_MARKS:
            properties.remove(mark)


def _new_cell(content: Sequence[Element] = ()) -> Element:
    cell: Element = etree.Element(f"{W}tc")
    for block in content:
        cell.append(block)
    return cell


def _content(cell: Element) -> list[Element]:
    return [child for child in cell if child.tag != f"{W}tcPr"]


def _replace_content(cell: Element, content: Sequence[Element]) -> None:
    for child in _content(cell):
        cell.remove(child)
    for block in content:
        cell.append(block)


def _text(cell: Element) -> str:
    return " ".join(word_xml.plain_text(cell).split())


def _lines(table: Element) -> list[Element]:
    rows = [row.findall(f"{W}tc") for row in table.findall(f"{W}tr")]
    has_names = len(rows) > 1 and len(rows[0]) > 1
    names = [_text(cell) for cell in rows[0]] if has_names else []
    return [_line(names, row) for row in rows[has_names:]]


def _line(names: list[str], cells: Sequence[Element]) -> Element:
    line = word_xml.paragraph()
    for index, cell in enumerate(cells):
        if not _text(cell):
            continue
        name = f"{names[index]}: " if index < len(names) and names[index] else ""
        line.append(word_xml.run(("; " if len(line) else "") + name))
        for run in list(cell.iter(f"{W}r")):
            line.append(run)
    return line
