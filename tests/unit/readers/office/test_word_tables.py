"""Tables of Word documents: merged cells, header rows, tables within tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rag.readers.office.word import tables as word_tables
from tests.support.files.sample_files import docx, read_content, word_paragraph, word_table

DOWN = '<w:vMerge w:val="restart"/>'
UP = "<w:vMerge/>"


def cell(text: str, properties: str = "") -> str:
    content = text if text.startswith("<w:") else word_paragraph(text)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def wide(text: str, columns: int, properties: str = "") -> str:
    return cell(text, f'<w:gridSpan w:val="{columns}"/>{properties}')


def row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def header(*cells: str) -> str:
    return row(*cells, properties="<w:tblHeader/>")


def lines(folder: Path, *rows: str) -> list[str]:
    """The text of a document with one table, without empty lines."""
    text = read_content(folder, docx(f"<w:tbl>{''.join(rows)}</w:tbl>"), "a.docx").text
    return [line for line in text.split("\n") if line]


def plain(*texts: str) -> str:
    return row(*map(cell, texts))


NAMES = plain("Plant", "Q1", "Q2")
RULE = "| --- | --- | --- |"


def test_merged_cells_count_for_the_cells_they_cover(tmp_path: Path) -> None:
    rows = (
        NAMES,
        row(cell("Graz", DOWN), cell("7"), cell("8")),
        row(cell("", UP), wide("9", 2)),
        row(cell("Lyon"), cell("5", DOWN), cell("6")),
        row(cell("Brno"), cell("", UP), cell("4")),
        row(wide("all", 2, DOWN), cell("3")),
        row(wide("", 2, UP), cell("2")),
    )
    assert lines(tmp_path, *rows) == [
        *("| Plant | Q1 | Q2 |", RULE, "| Graz | 7 | 8 |", "| Graz | 9 | 9 |", "| Lyon | 5 | 6 |", "| Brno | 5 | 4 |"),
        *("| all | all | 3 |", "| all | all | 2 |"),
    ]


def test_a_column_merged_with_the_left_one_in_the_old_way(tmp_path: Path) -> None:
    both = row(cell("Graz"), cell("9", '<w:hMerge w:val="restart"/>'), cell("", '<w:hMerge w:val="continue"/>'))
    assert lines(tmp_path, NAMES, both)[2] == "| Graz | 9 | 9 |"


def test_rows_that_begin_in_a_later_column(tmp_path: Path) -> None:
    late = row(cell("7"), cell("8"), properties='<w:gridBefore w:val="1"/>')
    assert lines(tmp_path, NAMES, late)[2] == "|  | 7 | 8 |"


def test_superscripts_are_kept_in_repeated_cells(tmp_path: Path) -> None:
    power = (
        '<w:p><w:r><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>6</w:t></w:r></w:p>'
    )
    assert lines(tmp_path, NAMES, row(cell("Graz"), wide(power, 2)))[2] == "| Graz | 10^6 | 10^6 |"


@pytest.mark.parametrize("declared", [header, row])
@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        ((cell("Plant", DOWN), wide("2024", 2)), (cell("", UP), cell("Q1"), cell("Q2"))),
        ((cell(""), wide("2024", 2)), (cell("Plant"), cell("Q1"), cell("Q2"))),
    ],
)
def test_header_rows_are_joined(
    upper: tuple[str], lower: tuple[str], declared: Callable[..., str], tmp_path: Path
) -> None:
    rows = (declared(*upper), declared(*lower), plain("Graz", "7", "8"))
    assert lines(tmp_path, *rows) == ["| Plant | 2024 / Q1 | 2024 / Q2 |", RULE, "| Graz | 7 | 8 |"]


def test_declared_header_rows_without_merged_cells(tmp_path: Path) -> None:
    rows = (header(cell("Flow"), cell("Head")), header(cell("l/s"), cell("m")), plain("4", "30"))
    assert lines(tmp_path, *rows) == ["| Flow / l/s | Head / m |", "| --- | --- |", "| 4 | 30 |"]


def test_a_caption_row_stands_above_the_table(tmp_path: Path) -> None:
    rows = (header(wide("Output in tonnes", 3)), NAMES, plain("Graz", "7", "8"), row(wide("Closed: Lyon", 3)))
    assert lines(tmp_path, *rows) == [
        *("Output in tonnes", "| Plant | Q1 | Q2 |", RULE, "| Graz | 7 | 8 |", "| Closed: Lyon |  |  |")
    ]


def test_large_tables_repeat_the_joined_names(tmp_path: Path) -> None:
    rows = (
        row(cell("Plant", DOWN), wide("2024", 2)),
        row(cell("", UP), cell("Q1"), cell("Q2")),
        *(plain(f"Plant {number}", str(number), "1") for number in range(30)),
    )
    assert lines(tmp_path, *rows)[29] == "- Plant: Plant 29; 2024 / Q1: 29; 2024 / Q2: 1"


def test_merged_values_are_not_taken_for_a_header(tmp_path: Path) -> None:
    rows = (row(cell("Hall 4", DOWN), cell("Mon")), row(cell("", UP), cell("Tue")), plain("Hall 5", "Mon"))
    assert lines(tmp_path, *rows) == ["| Hall 4 | Mon |", "| --- | --- |", "| Hall 4 | Tue |", "| Hall 5 | Mon |"]


def test_a_table_whose_rows_are_all_declared_headers(tmp_path: Path) -> None:
    assert lines(tmp_path, header(cell("a"), cell("b")), header(cell("1"), cell("2"))) == [
        *("| a | b |", "| --- | --- |", "| 1 | 2 |")
    ]


def test_cells_and_rows_in_content_controls(tmp_path: Path) -> None:
    def control(content: str) -> str:
        return f"<w:sdt><w:sdtPr/><w:sdtContent>{content}</w:sdtContent></w:sdt>"

    rows = (NAMES, row(cell("Graz", DOWN), control(cell("7")), cell("8")), control(row(cell("", UP), wide("9", 2))))
    assert lines(tmp_path, *rows)[2:] == ["| Graz | 7 | 8 |", "| Graz | 9 | 9 |"]


def test_a_nested_table_with_merged_cells(tmp_path: Path) -> None:
    inner = f"<w:tbl>{plain('bar', 'l/s')}{row(cell('4', DOWN), cell('2'))}{row(cell('', UP), cell('3'))}</w:tbl>"
    rows = (plain("Pump", "Data"), row(cell("P1"), f"<w:tc>{inner}{word_paragraph('tested')}</w:tc>"))
    assert lines(tmp_path, *rows)[2] == "| P1 | bar: 4; l/s: 2 bar: 4; l/s: 3 tested |"


@pytest.mark.parametrize("columns", ["0", "-1", "x", "999999999999"])
def test_invalid_spans(columns: str, tmp_path: Path) -> None:
    """They must neither fail nor fill the memory."""
    wrong = f'<w:tc><w:tcPr><w:gridSpan w:val="{columns}"/></w:tcPr>{word_paragraph("x")}</w:tc>'
    assert "x" in " ".join(lines(tmp_path, NAMES, row(wrong, cell("9"))))


def test_copies_for_merged_cells_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_tables, "_MAX_COPIED_ELEMENTS", 1_000)
    rows = [row(wide("x" * 100, 60), cell("a"))] * 200
    assert "".join(lines(tmp_path, *rows)).count("x" * 100) < 500


@pytest.mark.long
def test_tables_within_the_rows_of_a_long_table_take_linear_time(tmp_path: Path) -> None:
    inner = word_table([[word_paragraph("a"), word_paragraph("b")], [word_paragraph("1"), word_paragraph("2")]])
    rows = [row(cell("P"), cell(inner))] * 3_000
    assert len(lines(tmp_path, *rows)) == 2_999
