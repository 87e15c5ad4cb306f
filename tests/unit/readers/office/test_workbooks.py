"""XLSX: merged cells, number formats, formulas, and where the tables of a sheet are."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock  # type: ignore[import-untyped]
from openpyxl.cell.text import InlineFont  # type: ignore[import-untyped]
from openpyxl.chart import BarChart, Reference  # type: ignore[import-untyped]
from openpyxl.comments import Comment  # type: ignore[import-untyped]
from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped]

from rag.errors import ParsingLimit
from rag.readers import ReadOptions
from rag.readers.office.sheets.extras import read_extras
from rag.readers.office.sheets.number_format import iso_text, number_text
from rag.readers.office.sheets.workbook import SheetPart
from rag.readers.tables.table_header import is_header
from tests.support.files.sample_files import read_content, zip_file


def workbook(fill: Callable[[Worksheet], None]) -> bytes:
    book = openpyxl.Workbook()
    fill(book.active)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def sheet(*rows: list[object], merged: tuple[str, ...] = ()) -> bytes:
    def fill(sheet: Worksheet) -> None:
        for row in rows:
            sheet.append(row)
        for cells in merged:
            sheet.merge_cells(cells)

    return workbook(fill)


def replaced(content: bytes, *pairs: tuple[str, str]) -> bytes:
    """A package with texts replaced in all of its XML."""
    source = zipfile.ZipFile(io.BytesIO(content))
    members = {}
    for name in source.namelist():
        text = source.read(name).decode()
        for old, new in pairs:
            text = text.replace(old, new)
        members[name] = text
    return zip_file(members)


def replaced_part(content: bytes, name: str, part: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    return zip_file({**members, name: part})


def lines(folder: Path, content: bytes) -> list[str]:
    return read_content(folder, content, "a.xlsx").text.split("\n")


@pytest.mark.parametrize(
    ("raw", "code", "text"),
    [
        ("0.185", "0.0%", "18.5%"),
        ("0.185", "0.0 %", "18.5 %"),
        ("0.185", "0%", "19%"),
        ("1069", "00000", "01069"),
        ("1069.5", "General", "1069.5"),
        ("0.30000000000000004", "General", "0.3"),
        ("1.5E+6", "General", "1500000"),
        ("12345678901234567890", "General", "12345678901234567890"),
        ("1234567.5", "#,##0.00", "1,234,567.50"),
        ("1234567.5", '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)', "$1,234,567.50"),
        ("-1234.5", '#,##0.00\\ "€";[Red]-#,##0.00\\ "€"', "-1,234.50 €"),
        ("-1234", "#,##0_);(#,##0)", "-1,234"),
        ("5", "[$€-407] 0.00", "€ 5.00"),
        ("0", '#,##0;-#,##0;"-"', "0"),
        ("2.5", '0.0" kg"', "2.5 kg"),
        ("2.5", "0.0##", "2.5"),
        ("7", "0.##", "7"),
        ("123456789", "000-00-0000", "123-45-6789"),
        ("1234567", '0.0,,"M"', "1234567"),
        ("0.5", "# ?/?", "0.5"),
        ("1234", "0.00E+00", "1234"),
        ("5", "[>9]0.0;0.00", "5"),
        ("5", ";;;", "5"),
        ("1e999", "0.00", "1e999"),
        ("abc", "0.00", "abc"),
        ("45751", "dd.mm.yyyy", "2025-04-04"),
        ("45751.5625", "dd.mm.yyyy", "2025-04-04"),
        ("45751.5625", "yyyy-mm-dd h:mm:ss", "2025-04-04 13:30:00"),
        ("45751.5625", "m/d/yy h:mm", "2025-04-04 13:30"),
        ("45751", "m/d/yy h:mm", "2025-04-04"),
        ("45751", "mmm-yy", "2025-04"),
        ("45751", "yyyy", "2025"),
        ("45751", "[$-F800]dddd, mmmm dd, yyyy", "2025-04-04"),
        ("0.5625", "h:mm AM/PM", "13:30"),
        ("1.5", "[h]:mm", "36:00"),
        ("1e12", "yyyy-mm-dd", "1000000000000"),
        ("-5", "yyyy-mm-dd", "-5"),
    ],
)
def test_number_formats(raw: str, code: str, text: str) -> None:
    assert number_text(raw, code) == text


def test_dates_since_1904_and_in_iso_format() -> None:
    assert number_text("44289", "yyyy-mm-dd", is_1904=True) == "2025-04-04"
    assert iso_text("2025-04-04T13:30:00", "yyyy-mm-dd") == "2025-04-04"
    assert iso_text("2025-04-04T13:30:00", "General") == "2025-04-04 13:30:00"
    assert iso_text("today", "General") == "today"


def test_merged_cells_count_for_each_row(tmp_path: Path) -> None:
    rows: list[list[object]] = [[None, f"Article {n}", n] for n in range(30)]
    content = sheet(
        ["Stock list", None, None], ["Depot", "Article", "Pieces"], ["Lyon", "a", 1], *rows, merged=("A1:C1", "A3:A33")
    )
    text = lines(tmp_path, content)
    assert text[:4] == ["## Sheet", "", "Stock list", ""]
    assert text[-1] == "- Depot: Lyon; Article: Article 29; Pieces: 29"


@pytest.mark.parametrize(
    ("rows", "merged"),
    [
        ([["Region", "2023", None, "2024", None], [None, "Q1", "Q2", "Q1", "Q2"]], ("A2:A3", "B2:C2", "D2:E2")),
        ([[None, 2023, None, 2024, None], ["Region", "Q1", "Q2", "Q1", "Q2"]], ("B2:C2", "D2:E2")),
        ([[None, 2023, None, 2024, None], ["Region", "Q1", "Q2", "Q1", "Q2"]], ()),
        ([["Region", 2023, None, 2024, None], [None, "Q1", "Q2", "Q1", "Q2"]], ()),
    ],
)
def test_headers_of_two_rows(rows: list[list[object]], merged: tuple[str, ...], tmp_path: Path) -> None:
    text = lines(tmp_path, sheet(["Sales"], *rows, ["North", 1, 2, 3, 4], ["South", 5, 6, 7, 8], merged=merged))
    assert text[2:] == [
        "Sales",
        "",
        "| Region | 2023 / Q1 | 2023 / Q2 | 2024 / Q1 | 2024 / Q2 |",
        "| --- | --- | --- | --- | --- |",
        "| North | 1 | 2 | 3 | 4 |",
        "| South | 5 | 6 | 7 | 8 |",
    ]


def test_years_are_column_names_and_units_stand_above(tmp_path: Path) -> None:
    """As in annual reports."""
    rows: list[list[object]] = [[f"Item {n}", n, n + 1, None] for n in range(40)]
    content = sheet(
        [None, None, "Years ended", None],
        [None, 2019, 2018, 2017],
        [None, None, "(in millions)", None],
        ["Assets:", None, None, None],
        *rows,
    )
    text = lines(tmp_path, content)
    assert text[2:6] == ["Years ended", "(in millions)", "", "- Assets:"]
    assert text[-1] == "- Item 39; 2019: 39; 2018: 40; 2017: (empty)"


def test_a_merged_value_is_repeated_only_below_other_names(tmp_path: Path) -> None:
    plan = sheet(["Time", "Mo", "Tu"], [8, "Maths", "Art"], [12, "Lunch", None], merged=("B3:C3",))
    assert lines(tmp_path, plan)[-1] == "| 12 | Lunch | Lunch |"
    form = sheet(["Name:", "Ada", None, None], ["Born:", 1815, None, None], merged=("B1:D1", "B2:D2"))
    assert lines(tmp_path, form)[2:] == ["| Name: | Ada |", "| --- | --- |", "| Born: | 1815 |"]


def test_tables_side_by_side_and_below(tmp_path: Path) -> None:
    content = sheet(
        ["City", "Pop", None, "Name", "Age"],
        ["Kiel", 5, None, "Ada", 36],
        ["Graz", 7, None, "Bob", 40],
        [],
        ["Bern", 9, None, None, None],
        [],
        ["Ship", "Tons", "Port"],
        ["Aurora", 5, "Kiel"],
    )
    assert lines(tmp_path, content)[2:] == [
        *("| City | Pop |", "| --- | --- |", "| Kiel | 5 |", "| Graz | 7 |", ""),
        *("| Name | Age |", "| --- | --- |", "| Ada | 36 |", "| Bob | 40 |", ""),
        *("| City | Pop |", "| --- | --- |", "| Bern | 9 |", ""),
        *("| Ship | Tons | Port |", "| --- | --- | --- |", "| Aurora | 5 | Kiel |"),
    ]


def test_an_empty_column_within_a_table(tmp_path: Path) -> None:
    content = sheet(["Item", "Qty", None, "Price", "Total"], ["Nail", 2, None, 3, 6], ["Bolt", 1, None, 4, 4])
    assert lines(tmp_path, content)[-1] == "| Bolt | 1 | 4 | 4 |"


def test_formulas_without_a_saved_value(tmp_path: Path) -> None:
    content = sheet(["Net", "Gross"], [1, "=A2*2"], [2, "=A3*2"])
    shared = replaced(
        content,
        ("<f>A2*2</f><v></v>", '<f t="shared" si="0" ref="B2:B3">A2*2</f><v></v>'),
        ("<f>A2*2</f><v/>", '<f t="shared" si="0" ref="B2:B3">A2*2</f><v/>'),
        ("<f>A3*2</f>", '<f t="shared" si="0"/>'),
    )
    extract = read_content(tmp_path, shared, "a.xlsx")
    assert extract.text.endswith("| 1 | =A2*2 |\n| 2 | =A3*2 |")
    assert extract.warnings == (
        "2 formulas were not calculated, since the file has no saved value; the formula was read",
    )


def test_saved_values_of_formulas(tmp_path: Path) -> None:
    content = sheet(["Net", "Gross"], [1, "=A2*2"], [0, "=A3*2"])
    saved = replaced(content, ("A2*2</f><v></v>", "A2*2</f><v>2</v>"), ("A2*2</f><v/>", "A2*2</f><v>2</v>"))
    saved = replaced(saved, ("A3*2</f><v></v>", "A3*2</f><v>0</v>"), ("A3*2</f><v/>", "A3*2</f><v>0</v>"))
    assert lines(tmp_path, saved)[-2:] == ["| 1 | 2 |", "| 0 | =A3*2 |"], "some programs save 0 for all formulas"
    calculated = replaced(saved, ('fullCalcOnLoad="1"', ""))
    assert lines(tmp_path, calculated)[-2:] == ["| 1 | 2 |", "| 0 | 0 |"]


def test_strict_workbooks(tmp_path: Path) -> None:
    content = replaced(
        sheet(["City", "Sea"], ["Kiel", "Baltic"]),
        (
            "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            "http://purl.oclc.org/ooxml/spreadsheetml/main",
        ),
        (
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://purl.oclc.org/ooxml/officeDocument/relationships",
        ),
    )
    assert lines(tmp_path, content)[-1] == "| Kiel | Baltic |"


def test_notes_and_what_is_hidden(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        for row in (["City", "Since"], ["Kiel", datetime.date(2024, 5, 17)], ["Graz", None]):
            sheet.append(row)
        sheet["B3"].comment = Comment("not known\nyet", "Ada")
        sheet["A2"].comment = Comment("on the coast", "Ada")
        sheet.row_dimensions[2].hidden = True
        sheet.column_dimensions["B"].hidden = True
        hidden = sheet.parent.create_sheet("Prices")
        hidden.append(["secret"])
        hidden.sheet_state = "veryHidden"
        sheet.parent.create_chartsheet("Chart")

    extract = read_content(tmp_path, workbook(fill), "a.xlsx")
    assert extract.text.endswith("| Graz |  |\n\nNote on A2: on the coast\nNote on B3: not known yet")
    assert extract.warnings == (
        "1 hidden row was read in the sheet 'Sheet'",
        "1 hidden column was read in the sheet 'Sheet'",
        "the hidden sheet 'Prices' was not read",
        "the chart sheet 'Chart' was not read",
    )


def test_a_header_that_the_file_declares(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        for row in (["7", "8"], *([n, "x" * 40] for n in range(20))):
            sheet.append(row)
        sheet.auto_filter.ref = "A1:B21"

    assert lines(tmp_path, workbook(fill))[-1] == f"- 7: 19; 8: {'x' * 40}"


def test_merged_ranges_without_limit(tmp_path: Path) -> None:
    merge = '<mergeCell ref="A1:XFD1048576"/>'
    content = sheet(["a", "b"], ["c", "d"], merged=("A1:A2",))
    many = replaced(content, ('<mergeCell ref="A1:A2"/>', merge * 1000), ('<mergeCell ref="A1:A2" />', merge * 1000))
    assert lines(tmp_path, many)[-1] == "| a | d |"
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    with pytest.raises(ParsingLimit, match="cells"):
        read_content(tmp_path, replaced(many, ("</sheetData>", far)), "a.xlsx")


def test_comments_text_boxes_and_pictures() -> None:
    relation = '<Relationship Id="r{0}" Type="x/{1}" Target="../{1}.xml"/>'
    kinds = ("comments", "threadedComment", "drawing")
    members = {
        "xl/worksheets/_rels/sheet1.xml.rels": '<Relationships xmlns="r">'
        + "".join(relation.format(number, kind) for number, kind in enumerate(kinds))
        + "</Relationships>",
        "xl/comments.xml": '<comments xmlns="m"><commentList><comment ref="B10"><text><r><t>[Threaded]</t></r></text>'
        '</comment><comment ref="B9"><text><t>a note</t></text></comment></commentList></comments>',
        "xl/threadedComment.xml": '<ThreadedComments xmlns="t"><threadedComment ref="B10"><text>Sure?</text>'
        '</threadedComment><threadedComment ref="B10"><text>Yes</text></threadedComment></ThreadedComments>',
        "xl/drawing.xml": '<wsDr xmlns="d"><sp><txBody><p><r><t>A </t></r><r><t>box</t></r></p><p/></txBody></sp>'
        "<pic/><graphicFrame/></wsDr>",
    }
    with zipfile.ZipFile(io.BytesIO(zip_file(members))) as archive:
        part = SheetPart("A", "worksheet", "xl/worksheets/sheet1.xml", is_hidden=False)
        warnings: list[str] = []
        extras = read_extras(archive, part, lambda _: None, warnings.append)
    assert extras.notes == ["Note on B9: a note", "Note on B10: Sure?", "Note on B10: Yes"]
    assert (extras.text_boxes, extras.pictures, extras.graphics) == (["A box"], 1, [])
    assert warnings == ["an embedded object in the sheet 'A' was not read"]


SALES = (["City", "2023", "2024"], ["Graz", 398, 412], ["Kiel", 12, None], ["Bonn", 7.5, 9])


def bar_chart(sheet: Worksheet) -> BarChart:
    chart = BarChart()
    chart.title = "Output by plant"
    chart.y_axis.title = "Tonnes"
    chart.add_data(Reference(sheet, min_col=2, max_col=3, min_row=1, max_row=4), titles_from_data=True)
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=4))
    return chart


CHART_TEXT = (
    "Output by plant\nValue axis: Tonnes\n\n|  | 2023 | 2024 |\n| --- | --- | --- |\n"
    "| Graz | 398 | 412 |\n| Kiel | 12 |  |\n| Bonn | 7.5 | 9 |"
)


def test_a_chart_without_saved_values_takes_them_from_its_cells(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.title = "Sales 2024"
        for row in SALES:
            sheet.append(row)
        sheet.add_chart(bar_chart(sheet), "F2")
        sheet.parent.create_sheet("Overview").add_chart(bar_chart(sheet), "A1")

    extract = read_content(tmp_path, workbook(fill), "a.xlsx")
    assert extract.text.count(CHART_TEXT) == 2
    assert extract.text.endswith(f"## Overview\n\n{CHART_TEXT}")
    assert extract.warnings == ()


def test_a_chart_sheet(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        for row in SALES:
            sheet.append(row)
        sheet.parent.create_chartsheet("All plants").add_chart(bar_chart(sheet))

    extract = read_content(tmp_path, workbook(fill), "a.xlsx")
    assert extract.text.endswith(f"## All plants\n\n{CHART_TEXT}")
    assert (len(extract.pages), extract.warnings) == (2, ())


def test_a_chart_with_saved_values_and_one_without_anything(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append(["text"])
        for n in range(2):
            sheet.add_chart(BarChart(), f"A{5 + n}")

    saved = (
        '<chartSpace xmlns="http://schemas.openxmlformats.org/drawingml/2006/chart"><chart><plotArea><barChart><ser><val>'
        '<numRef><f>Gone!$A$1:$A$2</f><numCache><pt idx="0"><v>41</v></pt></numCache></numRef></val></ser></barChart>'
        "</plotArea></chart></chartSpace>"
    )
    extract = read_content(tmp_path, replaced_part(workbook(fill), "xl/charts/chart1.xml", saved), "a.xlsx")
    assert extract.text == "## Sheet\n\ntext\n\nSeries 1\n41"
    assert extract.warnings == ("a chart in the sheet 'Sheet' was not read: it has neither a title nor values",)


def test_charts_of_many_cells_are_bounded(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        for row in SALES:
            sheet.append(row)
        sheet.add_chart(bar_chart(sheet), "F2")

    far = (b"$B$2:$B$4", b"$A$1:$XFD$1048576")
    content = workbook(fill)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        chart = archive.read("xl/charts/chart1.xml").replace(*far).decode()
    extract = read_content(tmp_path, replaced_part(content, "xl/charts/chart1.xml", chart), "a.xlsx")
    assert "| Graz |  | 412 |" in extract.text


def test_a_long_text_in_many_cells(tmp_path: Path) -> None:
    rows: list[list[object]] = [["x" * 1000]] * 200
    content = sheet(*rows)
    with pytest.raises(ParsingLimit, match="characters of text"):
        read_content(tmp_path, content, "a.xlsx", ReadOptions(max_text_chars=100_000))


def test_many_empty_columns_take_linear_time(tmp_path: Path) -> None:
    row: list[object] = [*("ab", "cd", None) * 1500]
    assert "| ab | cd | ab |" in read_content(tmp_path, sheet(row, row), "a.xlsx").text


def test_groups_of_rows_in_a_csv_file_share_the_header(tmp_path: Path) -> None:
    content = "Depot,Article,Pieces\n" + "Lyon,nail,5\n" * 30 + "\nGraz,bolt,6\n" + "\nShip,Tons,\nAurora,7,\n"
    text = read_content(tmp_path, content, "a.csv").text
    assert "| Depot | Article | Pieces |\n| --- | --- | --- |\n| Graz | bolt | 6 |" in text
    assert text.endswith("| Ship | Tons |\n| --- | --- |\n| Aurora | 7 |")


@pytest.mark.parametrize("year", ["2018 (4)", "2017/2018", "2021-2022", "2019", "2019-Q1", "2019-04-01"])
def test_periods_that_name_columns(year: str) -> None:
    assert is_header(["", year], [["Sales", "5"], ["Costs", "7"]])
    assert not is_header(["Sales", year], [["Costs", "2017"], ["Rent", "2016"]])


def test_superscripts_in_cells(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        raised, lowered = InlineFont(vertAlign="superscript"), InlineFont(vertAlign="subscript")
        sheet.append([CellRichText("10", TextBlock(raised, "6"), " cells"), "x"])
        sheet.append([CellRichText("CO", TextBlock(lowered, "2")), CellRichText("Revenue", TextBlock(raised, "3"))])

    assert lines(tmp_path, workbook(fill))[2:] == ["| 10^6 cells | x |", "| --- | --- |", "| CO2 | Revenue (3) |"]
