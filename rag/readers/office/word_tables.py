"""Tables within the cells of other tables, which would tear the outer table apart."""

from __future__ import annotations

from collections.abc import Sequence

from rag.readers.office import word_xml
from rag.readers.office.word_xml import W
from rag.readers.safe_xml import Element


def flatten_nested_tables(body: Element) -> None:
    """Turn each table in a cell of a data table into lines, `column: value; column: value`."""
    for table in reversed(list(body.iter(f"{W}tbl"))):
        outer = next(table.iterancestors(f"{W}tbl"), None)
        if outer is not None and _is_data(outer):
            for line in _lines(table):
                table.addprevious(line)
            if (parent := table.getparent()) is not None:
                parent.remove(table)


def _is_data(table: Element) -> bool:
    rows = table.findall(f"{W}tr")
    return len(rows) > 1 and max(len(row.findall(f"{W}tc")) for row in rows) > 1


def _lines(table: Element) -> list[Element]:
    rows = [row.findall(f"{W}tc") for row in table.findall(f"{W}tr")]
    has_names = len(rows) > 1 and len(rows[0]) > 1
    names = [" ".join(word_xml.plain_text(cell).split()) for cell in rows[0]] if has_names else []
    return [_line(names, row) for row in rows[has_names:]]


def _line(names: list[str], cells: Sequence[Element]) -> Element:
    line = word_xml.paragraph()
    for index, cell in enumerate(cells):
        if not word_xml.plain_text(cell).strip():
            continue
        name = f"{names[index]}: " if index < len(names) and names[index] else ""
        line.append(word_xml.run(("; " if len(line) else "") + name))
        for run in list(cell.iter(f"{W}r")):
            line.append(run)
    return line
