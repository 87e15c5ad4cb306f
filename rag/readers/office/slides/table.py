"""The table of a slide as text."""

from __future__ import annotations

from rag.readers.office.drawings.text import A, body_text
from rag.readers.office.merged_cells import MAX_REPEATED_CHARS, Cell, caption_count, column_names, header_count, values
from rag.readers.safe_xml import Element
from rag.readers.tables.table import table_text

_ON = ("1", "true")


def slide_table_text(table: Element) -> list[str]:
    """The blocks of an `a:tbl`: its captions, then the table."""
    rows: list[list[Cell]] = []
    for row in table.findall(f"{A}tr"):
        rows.append(_row(row, rows[-1] if rows else []))
    captions = caption_count(rows)
    lines = [row[0].text for row in rows[:captions]]
    rows = rows[captions:]
    properties = table.find(f"{A}tblPr")
    is_first_row = properties is not None and properties.get("firstRow") in _ON
    count = header_count(rows)
    names = [column_names(rows[:count])] if count else []
    cells = [*names, *map(values, rows[count:])]
    return ["\n".join(lines), table_text(cells, has_header=bool(count) or is_first_row or None)]


def _row(row: Element, above: list[Cell]) -> list[Cell]:
    cells: list[Cell] = []
    for index, element in enumerate(row.findall(f"{A}tc")):
        is_left = element.get("hMerge") in _ON and bool(cells)
        is_above = element.get("vMerge") in _ON and index < len(above)
        if is_left or is_above:
            text = cells[-1].text if is_left else above[index].text
            cells.append(Cell(text if len(text) <= MAX_REPEATED_CHARS else "", is_left, is_above))
        else:
            body = element.find(f"{A}txBody")
            cells.append(Cell(" ".join(body_text(body).split()) if body is not None else ""))
    return cells
