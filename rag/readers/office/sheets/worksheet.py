"""Reads the cells of an Excel sheet as the text that they display."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from openpyxl.formula.translate import Translator, TranslatorError  # type: ignore[import-untyped]
from openpyxl.utils.cell import column_index_from_string, get_column_letter, range_boundaries  # type: ignore[import-untyped]

from rag.errors import ParsingLimit
from rag.readers.office.package import Package
from rag.readers.office.sheets.number_format import GENERAL, iso_text, number_text
from rag.readers.office.sheets.workbook import Workbook, attribute, is_true, rich_text
from rag.readers.safe_xml import Element, iterate_xml, parse_xml
from rag.readers.source import SourceFile

MAX_CELLS = 5_000_000
"""Maximum in all sheets together: more would take minutes, and is data rather than a document."""
_EMPTY_ROWS_PER_CELL = 16
"""Empty rows take time, too, and a sheet can declare a million of them: this many count as one cell."""
_MAX_SHARED_FORMULA_CHARS = 1_000


class CellLimit:
    """Counts the cells of a workbook, up to `MAX_CELLS`, and their text: many cells can share one long text."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._left = MAX_CELLS * _EMPTY_ROWS_PER_CELL
        self._chars_left = source.options.max_text_chars

    def count_chars(self, chars: int) -> None:
        self._chars_left -= chars
        if self._chars_left < 0:
            raise self._source.text_limit_error()

    def count(self, cells: int) -> None:
        self._left -= cells * _EMPTY_ROWS_PER_CELL or 1
        if self._left < 0:
            raise ParsingLimit(f"has more than {MAX_CELLS:,} cells; save the relevant sheets as separate files")


class CellRange(NamedTuple):
    """Both ends are part of it, and count from 1."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int


@dataclass(slots=True)
class Worksheet:
    """The cells of a sheet that are not empty, with what the file declares about them."""

    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    """The cells' texts by row and column."""
    merged: list[CellRange] = field(default_factory=list)
    headers: list[CellRange] = field(default_factory=list)
    """Rows that the file declares to be headers: of Excel's own tables, and of filters."""
    hidden_rows: int = 0
    hidden_columns: int = 0
    unsaved_formulas: int = 0
    """Formulas without a saved value, which are read as formulas."""


def read_worksheet(archive: zipfile.ZipFile, part: str, workbook: Workbook, limit: CellLimit) -> Worksheet:
    sheet = Worksheet()
    cells = _CellReader(workbook, sheet, limit)
    related = Package(archive).relations(part)
    hidden: list[tuple[int, int]] = []
    with archive.open(part) as file:
        for element in iterate_xml(file, "row", "mergeCell", "col", "autoFilter", "tablePart"):
            kind = element.tag.rpartition("}")[2]
            if kind == "row":
                limit.count(len(element))
                cells.read_row(element)
            elif kind == "mergeCell":
                sheet.merged.append(CellRange(*range_boundaries(element.get("ref"))))
            elif kind == "col" and is_true(element.get("hidden")):
                hidden.append((int(element.get("min") or 1), int(element.get("max") or 0)))
            elif kind == "autoFilter" and element.get("ref"):
                sheet.headers.append(CellRange(*range_boundaries(element.get("ref"))))
            elif kind == "tablePart" and (relation := related.get(attribute(element, "id"))):
                table = parse_xml(archive.read(relation.name))
                if table.get("headerRowCount") != "0":
                    sheet.headers.append(CellRange(*range_boundaries(table.get("ref"))))
    if hidden:
        used = {column for row in sheet.rows.values() for column in row}
        sheet.hidden_columns = sum(any(first <= column <= last for first, last in hidden[:1000]) for column in used)
    return sheet


class _CellReader:
    """Reads the rows of a sheet in the order of the file."""

    def __init__(self, workbook: Workbook, sheet: Worksheet, limit: CellLimit) -> None:
        self._limit = limit
        self._workbook = workbook
        self._sheet = sheet
        self._row = 0
        self._shared: dict[str, tuple[str, str]] = {}
        """By id: the first cell of a shared formula, and the formula."""

    def read_row(self, element: Element) -> None:
        self._row = int(element.get("r") or self._row + 1)
        cells = {column: text for column, text in self._cells(element) if text}
        self._limit.count_chars(sum(map(len, cells.values())))
        if cells:
            self._sheet.rows.setdefault(self._row, {}).update(cells)
            self._sheet.hidden_rows += is_true(element.get("hidden"))

    def _cells(self, element: Element) -> Iterator[tuple[int, str]]:
        column = 0
        for cell in element:
            if not cell.tag.endswith("}c"):
                continue
            name = (cell.get("r") or "").rstrip("0123456789")
            column = column_index_from_string(name) if name else column + 1
            yield column, self._text(cell, column).strip()

    def _text(self, cell: Element, column: int) -> str:
        kind, value, inline, formula = cell.get("t") or "n", "", "", None
        for child in cell:
            if child.tag.endswith("}v"):
                value = child.text or ""
            elif child.tag.endswith("}f"):
                formula = child
            elif child.tag.endswith("}is"):
                inline = rich_text(child)
        if formula is not None:
            is_unsaved = not value or (self._workbook.is_recalculated and value == "0")
            text = self._formula(formula, f"{get_column_letter(column)}{self._row}")
            if is_unsaved and text and kind != "str":
                self._sheet.unsaved_formulas += 1
                return text
        return inline if kind == "inlineStr" else self._value(kind, value, cell.get("s") or "0")

    def _value(self, kind: str, value: str, style: str) -> str:
        if not value:
            return ""
        if kind == "s":
            return self._workbook.strings[int(value)]
        if kind == "b":
            return "TRUE" if is_true(value) else "FALSE"
        if kind not in ("n", "d"):
            return value
        formats, number = self._workbook.formats, int(style)
        code = formats[number] if number < len(formats) else GENERAL
        return iso_text(value, code) if kind == "d" else number_text(value, code, is_1904=self._workbook.is_1904)

    def _formula(self, formula: Element, place: str) -> str:
        """The formula as Excel displays it; a shared one is saved in its first cell only."""
        text = f"={formula.text}" if formula.text else ""
        shared = formula.get("si") if formula.get("t") == "shared" else None
        if shared is not None and text:
            self._shared[shared] = (place, text)
        elif shared in self._shared:
            origin, text = self._shared[shared]
            if len(text) > _MAX_SHARED_FORMULA_CHARS:
                return ""
            try:
                text = Translator(text, origin).translate_formula(place)
            except TranslatorError:
                return ""
        return text.replace("_xlfn.", "").replace("_xlws.", "")
