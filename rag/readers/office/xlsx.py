"""Excel workbooks: each visible sheet is a page with a heading. Formulas are read as their last saved value."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator, Sequence
from typing import Protocol

import openpyxl  # type: ignore[import-untyped]

from rag.errors import BrokenFile, ParsingLimit, UnsupportedFile
from rag.readers.office.ooxml import check_package
from rag.readers.source import SourceFile
from rag.readers.table import table_text
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

MAX_CELLS = 5_000_000
"""Maximum in all sheets together: more would take minutes, and is data rather than a document."""
_EMPTY_ROWS_PER_CELL = 16
"""Empty rows take time, too, and a sheet can declare a million of them: this many count as one cell."""


class Worksheet(Protocol):
    """The part of openpyxl's read-only worksheet that is used here."""

    title: str
    sheet_state: str

    def reset_dimensions(self) -> None: ...
    def iter_rows(self, *, values_only: bool) -> Iterator[Sequence[object]]: ...


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    builder = TextBuilder(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parts that openpyxl could not write again
            _add_sheets(builder, source)
    except (MemoryError, RecursionError, UnsupportedFile):
        raise
    except Exception as error:  # KeyError, ValueError, ParseError, ...: depends on what is missing
        raise BrokenFile(f"is damaged, or not a workbook ({type(error).__name__})") from error
    return builder.extract(title=properties.title, language=properties.language)


def _add_sheets(builder: TextBuilder, source: SourceFile) -> None:
    limit = _CellLimit()
    with source.path.open("rb") as file:  # given a path, openpyxl would check its suffix
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for number, sheet in enumerate(workbook.worksheets, 1):
            if sheet.sheet_state == "visible":
                builder.page(number)
                _add_sheet(builder, sheet, limit)


def _add_sheet(builder: TextBuilder, sheet: Worksheet, limit: _CellLimit) -> None:
    sheet.reset_dimensions()  # the declared ones may be wrong: up to 1,048,576 rows of 16,384 cells
    tables = [text for rows in _tables(sheet, limit) if (text := table_text(rows))]
    if tables:
        builder.add_heading(2, sheet.title)
    for text in tables:
        builder.add(text)


class _CellLimit:
    """Counts the cells of a workbook, up to `MAX_CELLS`."""

    def __init__(self) -> None:
        self._left = MAX_CELLS * _EMPTY_ROWS_PER_CELL

    def count(self, cells: int) -> None:
        self._left -= cells * _EMPTY_ROWS_PER_CELL or 1
        if self._left < 0:
            raise ParsingLimit(f"has more than {MAX_CELLS:,} cells; save the relevant sheets as separate files")


def _tables(sheet: Worksheet, limit: _CellLimit) -> Iterator[list[list[str]]]:
    """The tables of a sheet, which are separated by empty rows."""
    rows: list[list[str]] = []
    for values in sheet.iter_rows(values_only=True):
        limit.count(len(values))
        row = [_cell_text(value) for value in values]
        if any(row):
            rows.append(row)
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"  # as Excel displays it: 0.3, not 0.30000000000000004
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ", "seconds")
    return str(value)
