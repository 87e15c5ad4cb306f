"""What a Word document's converter would leave out or misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sample_files import docx, read_content, word_paragraph, word_table

_MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
_NUMBERING = (
    '<w:numbering xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
    '<w:lvlText w:val="%1."/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)
_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{0}" Target="{0}.xml"/></Relationships>'
)


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


SUPER = '<w:vertAlign w:val="superscript"/>'
FORMULA = (
    f"<m:oMath {_MATH}><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num>"
    "<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath>"
)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"<w:p>{run('10')}{run('6', SUPER)}{run(' l')}</w:p>", "10^6 l"),
        (f"<w:p>{run('x = ')}{FORMULA}</w:p>", "x = (a+b)/2"),
        (f"<w:p>{run('shown')}{run(' secret', '<w:vanish/>')}</w:p>", "shown"),
        (
            "<w:p><w:r><w:t>Note</w:t><w:drawing><w:txbxContent>" + word_paragraph("In a box") + "</w:txbxContent>"
            "</w:drawing></w:r></w:p>",
            "Note\n\nIn a box",
        ),
        (
            word_table(
                [
                    [word_paragraph("Pump"), word_paragraph("Data")],
                    [
                        word_paragraph("P1"),
                        word_table(
                            [[word_paragraph("bar"), word_paragraph("l/s")], [word_paragraph("4"), word_paragraph("2")]]
                        ),
                    ],
                ]
            ),
            "| Pump | Data |\n| --- | --- |\n| P1 | bar: 4; l/s: 2 |",
        ),
    ],
)
def test_what_a_converter_is_blind_to(body: str, text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, docx(body), "a.docx").text == text


def test_an_interrupted_list_keeps_its_numbers(tmp_path: Path) -> None:
    item = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    )
    more = {"word/numbering.xml": _NUMBERING, "word/_rels/document.xml.rels": _RELATIONS.format("numbering")}
    body = item.format("first") + word_paragraph("between") + item.format("second")
    assert read_content(tmp_path, docx(body, more=more), "a.docx").text == "1. first\n\nbetween\n\n2. second"


def test_notes_follow_their_paragraph(tmp_path: Path) -> None:
    notes = (
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:footnote w:id="2">'
        + word_paragraph("Measured in 2019.")
        + "</w:footnote></w:footnotes>"
    )
    more = {"word/footnotes.xml": notes, "word/_rels/document.xml.rels": _RELATIONS.format("footnotes")}
    body = f"<w:p>{run('Nine years')}<w:r><w:footnoteReference w:id='2'/></w:r>{run(' long.')}</w:p>"
    extract = read_content(tmp_path, docx(body + word_paragraph("End."), more=more), "a.docx")
    assert extract.text == "Nine years (note 1) long.\n\nNote 1: Measured in 2019.\n\nEnd."
