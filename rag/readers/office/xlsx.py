"""Excel workbooks: each visible sheet is a page with a heading, and its cells are read as they are displayed.

A formula is read as its saved value, or as the formula if there is none. Hidden rows and columns are read, since
a filter hides them; hidden sheets are not.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable

from cachetools import LRUCache

from rag.errors import BrokenFile, RagError
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.office.ooxml import check_package
from rag.readers.office.sheets.blocks import SheetBlocks
from rag.readers.office.sheets.extras import read_extras
from rag.readers.office.sheets.workbook import SheetPart, Workbook, open_workbook
from rag.readers.office.sheets.worksheet import CellLimit, Worksheet, read_worksheet
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.readers.tables.table_layout import CellBlock, find_tables
from rag.readers.zip_container import open_zip
from rag.types import Extract

_KEPT_SHEETS = 8


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    builder = TextBuilder(source)
    try:
        with open_zip(source.path) as archive:
            _add_sheets(builder, archive, CellLimit(source))
    except (MemoryError, RecursionError, RagError):
        raise
    except Exception as error:  # KeyError, ValueError, ...: depends on what is missing
        raise BrokenFile(f"is damaged, or not a workbook ({type(error).__name__})") from error
    return builder.extract(title=properties.title, language=properties.language)


class _Sheets:
    """Reads the sheets of a workbook, and keeps the last ones, since charts refer to them."""

    def __init__(self, archive: zipfile.ZipFile, workbook: Workbook, limit: CellLimit) -> None:
        self._archive = archive
        self._workbook = workbook
        self._limit = limit
        self._parts = {part.name: part.part for part in workbook.sheets if part.kind == "worksheet"}
        self._kept: LRUCache[str, Worksheet] = LRUCache(_KEPT_SHEETS)

    def find(self, name: str) -> Worksheet | None:
        """The sheet of this name; None if there is none with cells."""
        part = self._parts.get(name)
        return self.read(part) if part else None

    def read(self, part: str) -> Worksheet:
        sheet = self._kept.get(part)
        if sheet is None:
            sheet = self._kept[part] = read_worksheet(self._archive, part, self._workbook, self._limit)
        return sheet


def _add_sheets(builder: TextBuilder, archive: zipfile.ZipFile, limit: CellLimit) -> None:
    workbook = open_workbook(archive)
    sheets = _Sheets(archive, workbook, limit)
    unsaved = 0
    for number, part in enumerate(workbook.sheets, 1):
        if reason := _reason_not_to_read(part):
            builder.warn(warning(reason, name=part.name))
            continue
        builder.page(number)
        blocks: Iterable[CellBlock] = ()
        if part.kind == "worksheet":
            sheet = sheets.read(part.part)
            unsaved += sheet.unsaved_formulas
            _report_hidden(builder, sheet, part.name)
            blocks = SheetBlocks(sheet, limit)
        _add_sheet(builder, archive, part, blocks, sheets)
    if unsaved:
        builder.warn(warning("unsaved_formulas", count=unsaved))


def _reason_not_to_read(part: SheetPart) -> str:
    """The code of the warning about a sheet that is not read; empty if it is."""
    if part.is_hidden:
        return "hidden_sheet"
    if part.kind not in ("worksheet", "chartsheet"):
        return "macro_sheet" if part.part else "missing_sheet"
    return "" if part.part else "missing_sheet"


def _report_hidden(builder: TextBuilder, sheet: Worksheet, name: str) -> None:
    for count, code in ((sheet.hidden_rows, "hidden_rows"), (sheet.hidden_columns, "hidden_columns")):
        if count:
            builder.warn(warning(code, count=count, place="sheet", name=name))


def _add_sheet(
    builder: TextBuilder, archive: zipfile.ZipFile, part: SheetPart, blocks: Iterable[CellBlock], sheets: _Sheets
) -> None:
    tables = list(find_tables(blocks))
    extras = read_extras(archive, part, sheets.find, builder.warn)
    if extras.pictures:
        builder.warn(warning("pictures", count=extras.pictures, place="sheet", name=part.name))
    if not (tables or extras.notes or extras.text_boxes or extras.graphics):
        if part.kind == "chartsheet":
            builder.warn(warning("chart_sheet", name=part.name))
        return
    builder.add_heading(2, part.name)
    for table in tables:
        table.add_to(builder)
    for text in (*extras.graphics, *extras.text_boxes, "\n".join(extras.notes)):
        builder.add(text)
