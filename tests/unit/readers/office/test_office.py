"""DOCX, PPTX and XLSX."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest
from pptx import Presentation
from pptx.util import Inches

from rag.errors import BrokenFile, EncryptedFile, NoTextFound, ParsingLimit
from rag.readers import formats
from rag.types import Extract
from tests.support.files.sample_files import docx, read_content, word_paragraph, word_table, zip_file


def paths(extract: Extract) -> list[str]:
    return [heading.path for heading in extract.headings]


def pages(extract: Extract) -> list[tuple[int, str]]:
    return [(page.number, extract.text[page.start :].split("\n")[0]) for page in extract.pages]


WHOLE = docx(word_paragraph("text"))
DAMAGED_INSIDE = WHOLE[:40] + bytes(30) + WHOLE[70:]


def test_word_documents_keep_headings_lists_and_tables(tmp_path: Path) -> None:
    table = word_table([[word_paragraph(text) for text in row] for row in (("City", "Sea"), ("Kiel", "Baltic"))])
    body = word_paragraph("Ports", "Heading1") + word_paragraph("Intro.") + word_paragraph("North", "Heading2") + table
    extract = read_content(tmp_path, docx(body, title="All ports", language="en-GB"), "a.docx")
    assert extract.text == "# Ports\n\nIntro.\n\n## North\n\n| City | Sea |\n| --- | --- |\n| Kiel | Baltic |"
    assert paths(extract) == ["Ports", "Ports > North"]
    assert (extract.title, extract.language, extract.is_markdown) == ("All ports", "en-GB", True)
    assert extract.media_type == formats.DOCX


def test_word_tables_in_tables_and_links(tmp_path: Path) -> None:
    inner = word_table([[word_paragraph("a"), word_paragraph("b")], [word_paragraph("1"), word_paragraph("2")]])
    link = '<w:p><w:hyperlink w:anchor="x"><w:r><w:t>the link</w:t></w:r></w:hyperlink></w:p>'
    outer = word_table([[word_paragraph("left"), inner + link]])
    extract = read_content(tmp_path, docx(outer), "a.docx")
    assert extract.text == "left\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nthe link"


def test_a_word_document_named_pdf(tmp_path: Path) -> None:
    assert read_content(tmp_path, docx(word_paragraph("text")), "a.pdf").text == "text"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (docx(word_paragraph("text"))[:-200], BrokenFile),
        (b"PK\x03\x04" + bytes(100), BrokenFile),
        (DAMAGED_INSIDE, BrokenFile),
        (zip_file({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}), BrokenFile),
        (docx("<w:p><w:unclosed></w:p>"), BrokenFile),
        (docx("", more={"word/document.xml": "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"}), BrokenFile),
        (docx("", more={"word/document.xml": f"<!--{' ' * 5000}--><!DOCTYPE x><x/>"}), BrokenFile),
        (docx(""), NoTextFound),
        (docx(word_paragraph(" " * 20_000_000)), ParsingLimit),
    ],
)
def test_word_documents_that_cannot_be_read(content: bytes, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error, match=r"^a\.docx ") as caught:
        read_content(tmp_path, content, "a.docx")
    assert type(caught.value) is error


def test_an_encrypted_member(tmp_path: Path) -> None:
    content = bytearray(docx(word_paragraph("text")))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(EncryptedFile, match="password"):
        read_content(tmp_path, bytes(content), "a.docx")


def presentation() -> bytes:
    deck = Presentation()
    deck.core_properties.title, deck.core_properties.language = "The deck", "de"
    first = deck.slides.add_slide(deck.slide_layouts[1])
    assert first.shapes.title is not None
    first.shapes.title.text = "Opening"
    frame = first.placeholders[1].text_frame
    frame.text = "Point"
    detail = frame.add_paragraph()
    detail.text, detail.level = "Detail", 1
    notes = first.notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "Speak slowly."
    deck.slides.add_slide(deck.slide_layouts[6])
    third = deck.slides.add_slide(deck.slide_layouts[6])
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "In a group"
    table = third.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
    for index, text in enumerate(["City", "Sea", "Kiel", "Baltic"]):
        table.cell(index // 2, index % 2).text = text
    target = io.BytesIO()
    deck.save(target)
    return target.getvalue()


def test_presentations_have_slides_as_pages(tmp_path: Path) -> None:
    extract = read_content(tmp_path, presentation(), "a.pptx")
    assert extract.text == (
        "## Opening\n\nPoint\n- Detail\n\nNotes: Speak slowly.\n\n## Slide 3\n\nIn a group\n\n"
        "| City | Sea |\n| --- | --- |\n| Kiel | Baltic |"
    )
    assert pages(extract) == [(1, "## Opening"), (3, "## Slide 3")]
    assert paths(extract) == ["Opening", "Slide 3"]
    assert (extract.title, extract.language, extract.media_type) == ("The deck", "de", formats.PPTX)


def test_a_presentation_without_its_parts(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"a\.pptx is damaged, or not a presentation"):
        read_content(tmp_path, zip_file({"ppt/presentation.xml": "<x/>"}), "a.pptx")


def workbook(**sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    book.properties.title = "Figures"
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name.startswith("hidden") else "visible"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_workbooks_have_sheets_as_pages(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 5, 17)
    cities: list[list[object]] = [["City", None, "Since", "Share"], ["Kiel", None, day, 0.1 + 0.2], [], ["A note"]]
    content = workbook(Cities=cities, hidden=[["secret", 1]], Empty=[], Flags=[["on", "off"], [True, 7]])
    extract = read_content(tmp_path, content, "a.xlsx")
    assert extract.text == (
        "## Cities\n\n| City | Since | Share |\n| --- | --- | --- |\n| Kiel | 2024-05-17 | 0.3 |\n\nA note\n\n"
        "## Flags\n\n| on | off |\n| --- | --- |\n| TRUE | 7 |"
    )
    assert pages(extract) == [(1, "## Cities"), (4, "## Flags")]
    assert (paths(extract), extract.title, extract.media_type) == (["Cities", "Flags"], "Figures", formats.XLSX)


def test_rows_of_a_large_sheet_say_their_columns(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Name", "Inhabitants"], *([f"City {n}", n] for n in range(50))]
    extract = read_content(tmp_path, workbook(Cities=rows), "a.xlsx")
    assert "- Name: City 49; Inhabitants: 49" in extract.text.split("\n")


def test_a_sheet_that_claims_to_be_huge_is_read_at_once(tmp_path: Path) -> None:
    """It has two cells: the first and the last there can be."""
    row = '<row r="{0}"><c r="{1}{0}" t="inlineStr"><is><t>{2}</t></is></c></row>'
    data = row.format(1, "A", "first") + row.format(1_048_576, "XFD", "last")
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        f"<sheetData>{data}</sheetData></worksheet>"
    )
    source = zipfile.ZipFile(io.BytesIO(workbook(Sheet=[["x"]])))
    members = {name: source.read(name) for name in source.namelist()}
    content = zip_file({**members, "xl/worksheets/sheet1.xml": sheet.encode()})
    assert read_content(tmp_path, content, "a.xlsx").text == "## Sheet\n\nfirst\n\nlast"


def test_a_workbook_without_its_parts(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"a\.xlsx is damaged, or not a workbook"):
        read_content(tmp_path, zip_file({"xl/workbook.xml": "<x/>"}), "a.xlsx")
