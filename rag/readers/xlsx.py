"""Excel workbooks: each visible sheet a page and a section. Of formulas, what they gave when the file was saved."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from typing import Any

import openpyxl  # type: ignore[import-untyped]

from rag.errors import BrokenFile, ParsingLimit, UnsupportedFile
from rag.readers.ooxml import check_package
from rag.readers.source import SourceFile
from rag.readers.table import table_text
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

MAX_CELLS = 5_000_000
"""In all sheets; more is data rather than a document, and takes minutes."""
_BLANK_ROWS_COUNT = 16
"""Empty rows cost time, too: a sheet may claim a million. This many count as much as a cell."""


def read(source: SourceFile) -> Extract:
    properties = check_package(source.path)
    builder = TextBuilder(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that openpyxl cannot keep: it is not to write the file
            _add_sheets(builder, source)
    except (MemoryError, RecursionError, UnsupportedFile):
        raise
    except Exception as error:  # KeyError, ValueError, ParseError, ...: whatever is missing
        raise BrokenFile(f"is not a workbook that can be read ({type(error).__name__})") from error
    return builder.extract(title=properties.title, language=properties.language)


def _add_sheets(builder: TextBuilder, source: SourceFile) -> None:
    budget = _Budget()
    with source.path.open("rb") as file:  # given a path, openpyxl would judge it by its name
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for number, sheet in enumerate(workbook.worksheets, 1):
            if sheet.sheet_state == "visible":
                builder.page(number)
                _add_sheet(builder, sheet, budget)


def _add_sheet(builder: TextBuilder, sheet: Any, budget: _Budget) -> None:
    sheet.reset_dimensions()  # what the sheet claims: 1,048,576 rows of 16,384 cells, maybe
    tables = [text for rows in _tables(sheet, budget) if (text := table_text(rows))]
    if tables:
        builder.add_heading(2, sheet.title)
    for text in tables:
        builder.add(text)


class _Budget:
    def __init__(self) -> None:
        self._left = MAX_CELLS * _BLANK_ROWS_COUNT

    def spend(self, cells: int) -> None:
        self._left -= cells * _BLANK_ROWS_COUNT or 1
        if self._left < 0:
            raise ParsingLimit(f"has more than {MAX_CELLS:,} cells; save the sheets that matter as files of their own")


def _tables(sheet: Any, budget: _Budget) -> Iterator[list[list[str]]]:
    """A sheet's rows, parted where rows are empty."""
    rows: list[list[str]] = []
    for values in sheet.iter_rows(values_only=True):
        budget.spend(len(values))
        row = [_cell_text(value) for value in values]
        if any(row):
            rows.append(row)
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"  # as Excel shows it: 0.3, not 0.30000000000000004
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ", "seconds")
    return str(value)
