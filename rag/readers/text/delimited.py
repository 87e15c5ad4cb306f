"""CSV and TSV: a small file becomes a Markdown table; in a larger one each row repeats the column names."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator

from rag.errors import BrokenFile
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.formats import TSV
from rag.readers.source import SourceFile
from rag.readers.tables.table_header import header_index
from rag.readers.tables.table_layout import CellBlock, find_tables
from rag.readers.text.value_lines import without_html
from rag.types import Extract

_DELIMITERS = ",;\t|"
_SAMPLE_CHARS = 32_768
_SAMPLE_ROWS = 100
_SEP_LINE = re.compile(r"\"?sep=(?P<delimiter>[^\n\"])\"?[ \t,;]*\n", re.IGNORECASE)
"""Excel's own first line, which names the delimiter."""


def read(source: SourceFile) -> Extract:
    text = source.text().strip("\n")
    delimiter = "\t" if source.media_type == TSV else ""
    if match := _SEP_LINE.match(text):
        text, delimiter = text[match.end() :], match["delimiter"]
    csv.field_size_limit(max(source.options.max_text_chars, 131_072))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or find_delimiter(text)))
    except csv.Error as error:
        raise BrokenFile(f"is not a valid CSV file: {error}") from None
    builder = TextBuilder(source)
    rows = [[without_html(cell.strip()) for cell in row] for row in rows]
    start = header_index(rows)
    builder.add("\n".join(" ".join(filter(None, row)) for row in rows[:start]))
    for table in find_tables(_blocks(rows[start:])):
        table.add_to(builder)
    return builder.extract()


def _blocks(rows: list[list[str]]) -> Iterator[CellBlock]:
    """The runs of rows without an empty row."""
    columns = range(max(map(len, rows), default=0))
    for has_text, group in itertools.groupby(rows, any):
        if has_text:
            yield CellBlock(list(group), columns)


def find_delimiter(text: str) -> str:
    """The delimiter that splits most of the first rows into the same number of cells, at least two."""
    sample = text[:_SAMPLE_CHARS]
    if len(text) > _SAMPLE_CHARS:
        sample = sample.rpartition("\n")[0] or sample
    return max(_DELIMITERS, key=lambda delimiter: _score(sample, delimiter))


def _score(sample: str, delimiter: str) -> tuple[float, int]:
    try:
        rows = [row for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row][:_SAMPLE_ROWS]
    except csv.Error:
        return 0.0, 0
    ((width, count),) = Counter(len(row) for row in rows).most_common(1) or [(1, 0)]
    return (count / len(rows), width) if width > 1 else (0.0, 0)
