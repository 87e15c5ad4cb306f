"""What a Word document's converter would leave out or misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files.sample_files import docx, read_content, word_paragraph, word_table

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


_NAMES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
)
_CHART = (
    f"<c:chartSpace {_NAMES}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Output</a:t></a:r></a:p></c:rich></c:tx>"
    "</c:title><c:plotArea><c:ser><c:cat><c:strLit><c:pt idx='0'><c:v>Graz</c:v></c:pt></c:strLit></c:cat>"
    "<c:val><c:numLit><c:pt idx='0'><c:v>412</c:v></c:pt></c:numLit></c:val></c:ser></c:plotArea></c:chart>"
    "</c:chartSpace>"
)
_DIAGRAM = (
    f"<dgm:dataModel {_NAMES}><dgm:ptLst><dgm:pt modelId='1'><dgm:t><a:p><a:r><a:t>Rinse</a:t></a:r></a:p></dgm:t>"
    "</dgm:pt></dgm:ptLst></dgm:dataModel>"
)


def drawing(content: str, description: str = "") -> str:
    return (
        f'<w:p><w:r><w:t>before</w:t><w:drawing {_NAMES}><wp:inline><wp:docPr id="1" name="x" descr="{description}"/>'
        f"<a:graphic><a:graphicData>{content}</a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )


PICTURE = '<pic:pic><pic:blipFill><a:blip r:embed="r{}"/></pic:blipFill></pic:pic>'


@pytest.mark.parametrize(
    ("content", "description", "text", "warnings"),
    [
        ('<c:chart r:id="c"/>', "", "Output\n\n|  | Series 1 |\n| --- | --- |\n| Graz | 412 |", ()),
        ('<c:chart r:id="gone"/>', "", "", ("a chart was not read: its data is missing",)),
        ('<dgm:relIds r:dm="d"/>', "", "- Rinse", ()),
        (PICTURE.format(1), "A pump", "Picture: A pump", ()),
        (PICTURE.format(1), "", "", ("1 picture was not read for lack of alternative text",)),
    ],
)
def test_charts_diagrams_and_pictures(
    content: str, description: str, text: str, warnings: tuple[str, ...], tmp_path: Path
) -> None:
    entries = "".join(
        f'<Relationship Id="{name}" Type="x/{kind}" Target="{target}"/>'
        for name, kind, target in (("c", "chart", "charts/a.xml"), ("d", "diagramData", "diagrams/a.xml"))
    )
    relations = (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{entries}</Relationships>'
    )
    more = {"word/charts/a.xml": _CHART, "word/diagrams/a.xml": _DIAGRAM, "word/_rels/document.xml.rels": relations}
    body = drawing(content, description) + word_paragraph("after")
    extract = read_content(tmp_path, docx(body, more=more), "a.docx")
    assert extract.text == "\n\n".join(filter(None, ("before", text, "after")))
    assert extract.warnings == warnings


def test_embedded_objects_are_reported(tmp_path: Path) -> None:
    ole = '<w:object><o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office" ProgID="Equation.3"/></w:object>'
    extract = read_content(tmp_path, docx(f"<w:p>{run('text')}<w:r>{ole}</w:r></w:p>"), "a.docx")
    assert extract.warnings == ("an embedded object was not read (Equation.3)",)


_COMMENTED = (
    "<w:p><w:commentRangeStart w:id='1'/>{0}<w:commentRangeEnd w:id='1'/><w:r><w:commentReference w:id='1'/></w:r>"
    "<w:r><w:commentReference w:id='2'/></w:r></w:p>"
)
_COMMENTS = (
    '<w:comments xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml">'
    '<w:comment w:id="1" w:author="Ada Lee"><w:p w14:paraId="0A"><w:r><w:annotationRef/></w:r>'
    + run("Why 4 bar?")
    + '</w:p></w:comment><w:comment w:id="2" w:author="Bo"><w:p w14:paraId="0B">'
    + run("See page 9.")
    + "</w:p></w:comment><w:comment w:id='3'>"
    + word_paragraph("Ends here?")
    + "</w:comment></w:comments>"
)
_EXTENDED = (
    '<w15:commentsEx xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml"><w15:commentEx w15:paraId="0A"/>'
    '<w15:commentEx w15:paraId="0B" w15:paraIdParent="0A"/></w15:commentsEx>'
)


def test_comments_follow_what_they_are_about(tmp_path: Path) -> None:
    relations = '<Relationship Id="c" Type="x/comments" Target="comments.xml"/><Relationship Id="e" '
    relations += 'Type="x/commentsExtended" Target="commentsExtended.xml"/>'
    more = {
        "word/comments.xml": _COMMENTS,
        "word/commentsExtended.xml": _EXTENDED,
        "word/_rels/document.xml.rels": f'<Relationships xmlns="r">{relations}</Relationships>',
    }
    body = _COMMENTED.format(run("The pressure is 4 bar.")) + word_paragraph("It is checked.")
    extract = read_content(tmp_path, docx(body, more=more), "a.docx")
    assert extract.text.split("\n\n") == [
        "The pressure is 4 bar.",
        "Comment by Ada Lee: Why 4 bar?",
        "Reply by Bo: See page 9.",
        "It is checked.",
        "Comment: Ends here?",
    ]
    assert extract.warnings == ()


def test_a_comment_in_a_table_follows_it(tmp_path: Path) -> None:
    cells = f"<w:tc>{_COMMENTED.format(run('4 bar'))}</w:tc><w:tc>{word_paragraph('ok')}</w:tc>"
    table = f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
    more = {"word/comments.xml": _COMMENTS, "word/_rels/document.xml.rels": _RELATIONS.format("comments")}
    text = read_content(tmp_path, docx(table + word_paragraph("end"), more=more), "a.docx").text
    assert text.index("4 bar") < text.index("Comment by Ada Lee: Why") < text.index("end")


def test_damaged_comments_are_reported(tmp_path: Path) -> None:
    more = {"word/comments.xml": "<w:comm", "word/_rels/document.xml.rels": _RELATIONS.format("comments")}
    extract = read_content(tmp_path, docx(word_paragraph("text"), more=more), "a.docx")
    assert (extract.text, extract.warnings) == ("text", ("the comments part is damaged and was not read",))


def test_text_is_hidden_by_the_style_of_its_paragraph(tmp_path: Path) -> None:
    styles = (
        '<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:style w:type="paragraph" w:styleId="Secret"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Based"><w:basedOn w:val="Secret"/></w:style></w:styles>'
    )
    exception = run("shown", '<w:vanish w:val="0"/>')
    shown = f'<w:p><w:pPr><w:pStyle w:val="Based"/></w:pPr>{exception}</w:p>'
    body = word_paragraph("PIN 1", "Secret") + word_paragraph("PIN 2", "Based") + shown
    assert read_content(tmp_path, docx(body, more={"word/styles.xml": styles}), "a.docx").text == "shown"


def test_paragraphs_in_the_outline_are_headings(tmp_path: Path) -> None:
    title = f'<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr>{run("Safety")}</w:p>'
    body_text = f'<w:p><w:pPr><w:outlineLvl w:val="9"/></w:pPr>{run("Wear a helmet.")}</w:p>'
    extract = read_content(tmp_path, docx(title + body_text), "a.docx")
    assert extract.text == "## Safety\n\nWear a helmet."
    assert [heading.path for heading in extract.headings] == ["Safety"]


def test_characters_that_the_converter_drops(tmp_path: Path) -> None:
    ruby = "<w:r><w:ruby><w:rt><w:r><w:t>とう</w:t></w:r></w:rt><w:rubyBase>{}</w:rubyBase></w:ruby></w:r>"
    body = (
        f"<w:p>{run('Table ')}<w:fldSimple w:instr=' SEQ T '>{run('3')}</w:fldSimple>{run(' is 5 ')}"
        '<w:r><w:sym w:font="Symbol" w:char="F06D"/><w:t>m at 40</w:t>'
        '<w:sym w:font="Symbol" w:char="F0B0"/></w:r></w:p>'
        f"<w:p><w:bdo w:val='ltr'>{run('one')}</w:bdo><w:r><w:cr/></w:r>{run('two')}</w:p>"
        f"<w:p>{ruby.format(run('東'))}{run('京')}</w:p>"
    )
    assert read_content(tmp_path, docx(body), "a.docx").text == "Table 3 is 5 μm at 40°\n\none\ntwo\n\n東京"
