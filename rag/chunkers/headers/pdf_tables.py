"""The headers of tables in text that was read from PDF: rows such as `iPhone | $ 65,775`, without a rule.

The column names are the first rows of a table, or short lines above it where each is a line of its own:

    Net sales by product were as follows:
    December 31,
    2022
    December 25,
    2021
    iPhone | $ 65,775 | $ 71,628
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.chunkers.headers.header import Header
from rag.chunkers.headers.line import Line

_BORDER = " | "
_MIN_ROWS = 3
_MAX_LABELS = 3
"""Lines without cells in succession within a table."""
_MAX_HEADER_ROWS = 4
_MAX_MARGIN_LINES = 3
"""Maximum number of footer and header lines between two parts of a table on consecutive pages."""
_MAX_NAME_LINES = 12
_MAX_NAME_CHARS = 40
_MAX_CELL_CHARS = 60
_MAX_CAPTION_CHARS = 200
_YEAR = r"(?:FY ?|Q[1-4] )?(?:19|20|21)\d\d"
_DATE = re.compile(rf"\D*\d{{1,2}},? {_YEAR}|\D*{_YEAR}(?:\s?[-/–]\s?{_YEAR})?\D*|(?:[A-Z][a-z]+\.? )\d{{1,2}},|Q[1-4]")
_AMOUNT = re.compile(r"\d")
_MAX_CAPTION_LINES = 3
_GOES_ON = re.compile(r"[^\W_A-Z]|\(")
"""The start of a line that continues the line above it."""
_SENTENCES = re.compile(r"(?<=[a-z)][.;:])\s+(?=[A-Z])")
_SENTENCE_END = (".", ";", "!", "?")


def pdf_table_headers(lines: list[Line]) -> Iterator[Header]:
    """The column names of each table, with the caption above them."""
    position = 0
    while position < len(lines):
        last = _table_end(lines, position)
        if last - position < _MIN_ROWS:
            position += 1
            continue
        first_value = _first_row_with_values(lines, position, last)
        top = _first_name(lines, position)
        names = [line.text.strip() for line in lines[top:first_value] if not _is_label(line)]
        caption = _caption(lines, top) if names else top
        text = "\n".join([*_last_sentence(lines[caption:top]), *names])
        last = _end_after_pages(lines, last, names)
        if text:
            yield Header(lines[caption].start, lines[last - 1].end, text)
        position = last


def _table_end(lines: list[Line], first: int) -> int:
    """The index after the last row of the table that begins at a line; `first` if none does."""
    end = position = first
    while position < len(lines) and lines[position].text and position - end <= _MAX_LABELS:
        if _BORDER in lines[position].text:
            end = position + 1
        elif position == first:
            break
        position += 1
    return end


def _end_after_pages(lines: list[Line], last: int, names: list[str]) -> int:
    """The index after the last row of a table, which may continue on the next pages with the same number of columns.

    Args:
        last: The index after its last row on the first page.
    """
    while (first := _first_row_of_next_page(lines, last)) is not None:
        end = _table_end(lines, first)
        cells = lines[last - 1].text.count(_BORDER)
        if end <= first or lines[first].text.count(_BORDER) != cells:
            break
        has_names = _first_row_with_values(lines, first, end) > first
        has_values = any(map(_is_amount, lines[min(first + 1, end - 1)].text.split(_BORDER)[1:]))
        if has_names and has_values and lines[first].text.strip() not in names:
            break  # a table of its own
        last = end
    return last


def _first_row_of_next_page(lines: list[Line], last: int) -> int | None:
    """The first row of a table at the top of the page after a table at the end of a page; None if there is none."""
    page = next((n for n in range(last, min(last + _MAX_MARGIN_LINES + 1, len(lines))) if not lines[n].text), None)
    if page is None:
        return None
    limit = min(page + _MAX_MARGIN_LINES + 2, len(lines))
    return next((n for n in range(page + 1, limit) if _BORDER in lines[n].text), None)


def _first_row_with_values(lines: list[Line], first: int, last: int) -> int:
    """The index after the rows that name the columns; `first` if there are none."""
    end = first
    while end < min(first + _MAX_HEADER_ROWS, last - 1) and _are_names(lines[end].text):
        end += 1
    if end > first + 1 and not any(map(_is_amount, lines[end].text.split(_BORDER)[1:])):
        return first + 1  # a table of words: nothing tells further names from values
    return end


def _are_names(row: str) -> bool:
    cells = row.split(_BORDER)
    if len(cells) < 2 or cells[0].endswith(":"):
        return False
    return not any(len(cell) > _MAX_CELL_CHARS or _is_amount(cell) for cell in cells)


def _is_amount(cell: str) -> bool:
    return bool(_AMOUNT.search(cell)) and not _DATE.fullmatch(cell.strip())


def _first_name(lines: list[Line], first: int) -> int:
    """The first of the short lines above a table, if one of them is a date or the like: a name of a column."""
    top = first
    has_date = False
    while top > 0 and first - top < _MAX_NAME_LINES and _can_be_name(lines[top - 1].text):
        if has_date and _is_label(lines[top - 1]):
            break  # the end of the caption
        top -= 1
        has_date = has_date or bool(_DATE.fullmatch(lines[top].text.strip()))
    return top if has_date else first


def _can_be_name(text: str) -> bool:
    text = text.strip()
    return 0 < len(text) <= _MAX_NAME_CHARS and not text.endswith(_SENTENCE_END) and _BORDER not in text


def _is_label(line: Line) -> bool:
    """True for the name of a group of rows, such as `Net sales:`."""
    return line.text.rstrip().endswith((":", "：")) and _BORDER not in line.text


def _caption(lines: list[Line], position: int) -> int:
    """The index of the line above the column names, and of that in which its sentence begins; `position` if none."""
    top = position
    while top > 0 and position - top < _MAX_CAPTION_LINES and (text := lines[top - 1].text.strip()):
        is_caption = len(text) <= _MAX_CAPTION_CHARS and _BORDER not in text and not text.endswith(_SENTENCE_END)
        if not is_caption or (top < position and not _GOES_ON.match(lines[top].text)):
            break
        top -= 1
    return top


def _last_sentence(lines: list[Line]) -> list[str]:
    """The lines from where the last sentence in them begins."""
    text = "\n".join(line.text.strip() for line in lines)
    return _SENTENCES.split(text)[-1].splitlines()
