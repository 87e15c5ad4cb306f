"""CSV and TSV: a small file becomes a Markdown table; in a larger one each row repeats the column names."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

from rag.errors import BrokenFile
from rag.readers.formats import TSV
from rag.readers.source import SourceFile
from rag.readers.table import TableRow, table_text
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

_DELIMITERS = ",;\t|"
_SAMPLE_CHARS = 32_768
_SAMPLE_ROWS = 100
_SEP_LINE = re.compile(r"\"?sep=(?P<delimiter>[^\n\"])\"?[ \t,;]*\n", re.IGNORECASE)
"""Excel's own first line, which names the delimiter."""
_MAX_PREAMBLE_ROWS = 30
_PERIOD = re.compile(r"(?:19|20|21)\d\d(?:[-/.](?:\d\d?|Q[1-4]))?")
"""A year or month, which can be the name of a column."""
_MAX_NAME_CHARS = 80


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
    start = _header_index(rows)
    builder.add("\n".join(" ".join(filter(None, map(str.strip, row))) for row in rows[:start]))
    builder.add(table_text(rows[start:], has_header=_has_header(rows[start:]) or None, keep_empty=True))
    return builder.extract()


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


def _header_index(rows: Sequence[TableRow]) -> int:
    """The row where the table begins: lines above it, such as a report's title, fill few of its columns."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows[: _MAX_PREAMBLE_ROWS + _SAMPLE_ROWS]]
    counts = Counter(count for count in filled if count > 1)
    if not counts:
        return 0
    width = max(counts, key=lambda count: (counts[count], count))
    start = next((index for index, count in enumerate(filled) if count > max(1, width // 2)), 0)
    return start if start <= _MAX_PREAMBLE_ROWS else 0


def _has_header(rows: Sequence[TableRow]) -> bool:
    """Whether the first row names the columns; a name may be there twice, and may be a year if the column has none."""
    if not rows or not all(cell.strip() for cell in rows[0][1:]):
        return False
    return any(map(str.strip, rows[0])) and all(
        _is_name(cell.strip(), [row[index].strip() for row in rows[1:_SAMPLE_ROWS] if index < len(row)])
        for index, cell in enumerate(rows[0])
    )


def _is_name(cell: str, below: Sequence[str]) -> bool:
    if _PERIOD.fullmatch(cell):
        return not all(_PERIOD.fullmatch(value) for value in below if value)
    return len(cell) <= _MAX_NAME_CHARS and (not cell or any(char.isalpha() for char in cell))
