"""What is read of a presentation's slides, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import BrokenFile, NoTextFound
from tests.support.files.sample_files import (
    pptx,
    read_content,
    slide_box,
    slide_frame,
    slide_part,
    slide_shape,
)

_C = 'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
_CX = 'xmlns:cx="http://schemas.microsoft.com/office/drawing/2014/chartex"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_DGM = 'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
_MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
_MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
_CHART = slide_frame(f'<c:chart {_C} r:id="r1"/>', "chart")
TITLE = slide_shape("Plan", placeholder='type="title"')


def lines(folder: Path, *slides: str) -> list[str]:
    """The text of slides, without empty lines."""
    text = read_content(folder, pptx(*slides), "a.pptx").text
    return [line for line in text.split("\n") if line]


def points(values: dict[int, str], kind: str = "str") -> str:
    cached = "".join(f'<c:pt idx="{index}"><c:v>{value}</c:v></c:pt>' for index, value in values.items())
    return f"<c:{kind}Ref><c:{kind}Cache>{cached}</c:{kind}Cache></c:{kind}Ref>"


def number_points(values: dict[int, str], code: str = "General") -> str:
    return points(values, "num").replace("<c:numCache>", f"<c:numCache><c:formatCode>{code}</c:formatCode>")


def series(name: str, categories: str, values: str) -> str:
    return f"<c:ser><c:tx>{points({0: name})}</c:tx><c:cat>{categories}</c:cat><c:val>{values}</c:val></c:ser>"


def title(text: str) -> str:
    return f"<c:title><c:tx><c:rich><a:p><a:r><a:t>{text}</a:t></a:r></a:p></c:rich></c:tx></c:title>"


def chart_text(folder: Path, chart: str, root: str = "") -> str:
    """The text of a slide with this chart, below its heading."""
    part = root or f"<c:chartSpace {_C} {_A}><c:chart>{chart}</c:chart></c:chartSpace>"
    content = pptx(_CHART, relations={1: {"r1": ("chart", "../charts/a.xml")}}, more={"ppt/charts/a.xml": part})
    return read_content(folder, content, "a.pptx").text.removeprefix("## Slide 1\n\n")


def test_a_chart_is_a_table_of_its_saved_values(tmp_path: Path) -> None:
    plants = points({0: "Graz", 1: "Lyon", 3: "Brno"})
    chart = (
        f"{title('Output')}<c:plotArea><c:barChart>"
        f"{series('2023', plants, number_points({0: '398.5', 3: '0.30000000000000004'}))}"
        f"{series('2024', plants, number_points({0: '412', 1: '388'}))}</c:barChart>"
        f"<c:catAx>{title('Plant')}</c:catAx><c:valAx>{title('Tonnes')}</c:valAx></c:plotArea>"
    )
    assert chart_text(tmp_path, chart) == (
        "Output\nValue axis: Tonnes\n\n| Plant | 2023 | 2024 |\n| --- | --- | --- |\n"
        "| Graz | 398.5 | 412 |\n| Lyon |  | 388 |\n| Brno | 0.3 |  |"
    )


def test_categories_with_levels_percentages_and_dates(tmp_path: Path) -> None:
    def level(values: dict[int, str]) -> str:
        return points(values).removeprefix("<c:strRef><c:strCache>").removesuffix("</c:strCache></c:strRef>")

    quarters = f"<c:lvl>{level({0: 'Q1', 1: 'Q2', 2: 'Q1'})}</c:lvl><c:lvl>{level({0: '2023', 2: '2024'})}</c:lvl>"
    levels = f"<c:multiLvlStrRef><c:multiLvlStrCache>{quarters}</c:multiLvlStrCache></c:multiLvlStrRef>"
    shares = series("Share", levels, number_points({0: "0.425", 1: "0.5", 2: "1"}, "0%"))
    days = series("Level", number_points({0: "45292", 1: "45293.5"}, "yyyy-mm-dd"), number_points({0: "7", 1: "8"}))
    assert chart_text(tmp_path, shares + days) == (
        "|  | Share |\n| --- | --- |\n| 2023 / Q1 | 42.5% |\n| 2023 / Q2 | 50% |\n| 2024 / Q1 | 100% |\n\n"
        "|  | Level |\n| --- | --- |\n| 2024-01-01 | 7 |\n| 2024-01-02 12:00:00 | 8 |"
    )


def test_a_scatter_chart_pairs_x_and_y(tmp_path: Path) -> None:
    pair = (
        f"<c:ser><c:xVal>{number_points({0: '1', 1: '2'})}</c:xVal><c:yVal>{number_points({0: '9', 1: '7'})}</c:yVal>"
        f'<c:dLbls><c:dLbl><c:idx val="1"/><c:tx><c:rich><a:p><a:r><a:t>outlier</a:t></a:r></a:p></c:rich></c:tx>'
        "</c:dLbl></c:dLbls></c:ser>"
    )
    axes = "".join(
        f'<c:valAx>{title(name)}<c:axPos val="{position}"/></c:valAx>'
        for name, position in (("Bar", "b"), ("l/s", "l"))
    )
    assert chart_text(tmp_path, f"<c:plotArea><c:scatterChart>{pair}</c:scatterChart>{axes}</c:plotArea>") == (
        "Value axis: l/s\n\n| Bar | Series 1 |\n| --- | --- |\n| 1 | 9 |\n| 2 | 7 (outlier) |"
    )


def test_a_waterfall_chart(tmp_path: Path) -> None:
    root = (
        f'<cx:chartSpace {_CX} {_A}><cx:chartData><cx:data id="0"><cx:strDim type="cat"><cx:lvl><cx:pt idx="0">Start'
        '</cx:pt><cx:pt idx="1">Loss</cx:pt></cx:lvl></cx:strDim><cx:numDim type="val"><cx:lvl><cx:pt idx="0">90'
        '</cx:pt><cx:pt idx="1">-12</cx:pt></cx:lvl></cx:numDim></cx:data></cx:chartData><cx:chart><cx:title><cx:tx>'
        "<cx:txData><cx:v>Cash</cx:v></cx:txData></cx:tx></cx:title><cx:plotArea><cx:plotAreaRegion><cx:series><cx:tx><cx:txData>"
        '<cx:v>EUR</cx:v></cx:txData></cx:tx><cx:dataId val="0"/></cx:series></cx:plotAreaRegion></cx:plotArea>'
        "</cx:chart></cx:chartSpace>"
    )
    assert chart_text(tmp_path, "", root) == "Cash\n\n|  | EUR |\n| --- | --- |\n| Start | 90 |\n| Loss | -12 |"


def test_large_charts_do_not_multiply_empty_cells(tmp_path: Path) -> None:
    """Series without a common category would have a quadratic table."""
    every = "".join(series(f"s{n}", points({0: "a"}), number_points({n: "1"})) for n in range(2_000))
    assert len(chart_text(tmp_path, every)) < 200_000


@pytest.mark.parametrize(("part", "reason"), [(None, "missing"), ("<c:chart", "damaged")])
def test_a_chart_that_cannot_be_read_is_reported(part: str | None, reason: str, tmp_path: Path) -> None:
    more = {"ppt/charts/a.xml": part} if part else {}
    content = pptx(TITLE + _CHART, relations={1: {"r1": ("chart", "../charts/a.xml")}}, more=more)
    extract = read_content(tmp_path, content, "a.pptx")
    assert extract.text == "## Plan"
    assert extract.warnings == (f"a chart on slide 1 was not read: its data is {reason}",)


def diagram(connections: str) -> bytes:
    texts = "".join(
        f'<dgm:pt modelId="{name}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'
        for name, text in (("1", "Rinse"), ("2", "Drain"), ("3", "Call"))
    )
    data = (
        f'<dgm:dataModel {_DGM} {_A}><dgm:ptLst><dgm:pt modelId="0" type="doc"/>{texts}</dgm:ptLst>'
        f"<dgm:cxnLst>{connections}</dgm:cxnLst></dgm:dataModel>"
    )
    frame = slide_frame(f'<dgm:relIds {_DGM} r:dm="r1"/>', "diagram")
    relations = {1: {"r1": ("diagramData", "../diagrams/a.xml")}}
    return pptx(frame, relations=relations, more={"ppt/diagrams/a.xml": data})


def connection(source: int, target: int, order: int, kind: str = "parOf") -> str:
    return f'<dgm:cxn type="{kind}" srcId="{source}" destId="{target}" srcOrd="{order}"/>'


@pytest.mark.parametrize(
    ("connections", "text"),
    [
        ("", "- Rinse\n- Drain\n- Call"),
        (connection(0, 3, 0) + connection(0, 1, 2) + connection(3, 2, 0), "- Call\n  - Drain\n- Rinse"),
        (connection(1, 2, 0) + connection(2, 1, 0) + connection(0, 1, 0), "- Rinse\n  - Drain\n- Call"),
        (connection(3, 1, 0, "presOf"), "- Rinse\n- Drain\n- Call"),
    ],
)
def test_a_diagram_is_a_list(connections: str, text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, diagram(connections), "a.pptx").text == f"## Slide 1\n\n{text}"


def test_shapes_are_read_in_rows(tmp_path: Path) -> None:
    drawn = (
        slide_shape("bottom", (1, 5, 3, 1)),
        slide_shape("right", (6, 1.2, 3, 1)),
        slide_shape("left", (1, 1.4, 3, 1)),
        TITLE,
        slide_shape("middle", (1, 3, 8, 1)),
    )
    assert lines(tmp_path, "".join(drawn)) == ["## Plan", "left", "right", "middle", "bottom"]


def test_a_heading_is_read_with_the_box_below_it(tmp_path: Path) -> None:
    """The layout `Comparison`."""
    drawn = (
        slide_shape("For", (1, 1, 4, 0.6)) + slide_shape("Cheap", (1, 1.6, 4, 3)),
        slide_shape("Against", (6, 1, 4, 0.6)) + slide_shape("Slow", (6, 1.6, 4, 3)),
    )
    assert lines(tmp_path, "".join(drawn)) == ["## Slide 1", "For", "Cheap", "Against", "Slow"]


def group(box: tuple[float, float, float, float], inner: tuple[float, float, float, float], shapes: str) -> str:
    child = slide_box(inner, "x").removeprefix("<x>").removesuffix("</x>")
    child = child.replace("a:off", "a:chOff").replace("a:ext", "a:chExt")
    return (
        '<p:grpSp><p:nvGrpSpPr><p:cNvPr id="1" name="x"/></p:nvGrpSpPr>'
        f"<p:grpSpPr>{slide_box(box, 'a:xfrm', child)}</p:grpSpPr>{shapes}</p:grpSp>"
    )


def test_groups_stay_together(tmp_path: Path) -> None:
    """Their shapes have coordinates of their own."""
    first = slide_shape("1a", (50, 50, 1, 1)) + slide_shape("1b", (50, 53, 1, 1))
    second = slide_shape("2b", (9, 3, 1, 1)) + slide_shape("2a", (9, 0, 1, 1))
    shapes = group((6, 1, 2, 4), (9, 0, 1, 4), second) + group((1, 1, 2, 4), (50, 50, 1, 4), first)
    assert lines(tmp_path, shapes + slide_shape("top", (1, 0, 9, 0.5))) == ["## Slide 1", "top", "1a", "1b", "2a", "2b"]


def test_text_between_the_shapes_of_a_group(tmp_path: Path) -> None:
    steps = slide_shape("3", (0, 80, 10, 10)) + slide_shape("1", (0, 0, 10, 10))
    shapes = group((1, 1, 4, 5), (0, 0, 10, 90), steps) + slide_shape("2", (1, 3, 4, 1))
    assert lines(tmp_path, shapes) == ["## Slide 1", "1", "2", "3"]


def test_placeholders_take_their_place_from_the_layout_and_the_master(tmp_path: Path) -> None:
    slide = (
        slide_shape("body", placeholder='idx="1"')
        + slide_shape("free", (1, 3, 3, 1))
        + slide_shape("head", placeholder='type="body" idx="7"')
    )
    layout = slide_shape("", placeholder='idx="1"') + slide_shape("", (1, 1, 3, 1), placeholder='type="body" idx="7"')
    master = slide_shape("", (1, 5, 3, 1), placeholder='type="body" idx="1"')
    more = {
        "ppt/slideLayouts/l.xml": slide_part(layout, root="sldLayout"),
        "ppt/slideMasters/m.xml": slide_part(master, root="sldMaster"),
        "ppt/slideLayouts/_rels/l.xml.rels": (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
            'Type="x/slideMaster" Target="../slideMasters/m.xml"/></Relationships>'
        ),
    }
    content = pptx(slide, relations={1: {"r1": ("slideLayout", "../slideLayouts/l.xml")}}, more=more)
    assert read_content(tmp_path, content, "a.pptx").text == "## Slide 1\n\nhead\n\nfree\n\nbody"


def cell(text: str, attributes: str = "") -> str:
    return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"


def table(*rows: str) -> str:
    return slide_frame(f"<a:tbl>{''.join(f'<a:tr>{row}</a:tr>' for row in rows)}</a:tbl>", "table")


def test_merged_cells_count_for_the_cells_they_cover(tmp_path: Path) -> None:
    shapes = table(
        cell("Output in tonnes", 'gridSpan="3"') + cell("", 'hMerge="1"') * 2,
        cell("Plant", 'rowSpan="2"') + cell("2024", 'gridSpan="2"') + cell("", 'hMerge="1"'),
        cell("", 'vMerge="1"') + cell("Q1") + cell("Q2"),
        cell("Europe", 'gridSpan="3"') + cell("", 'hMerge="1"') * 2,
        cell("Graz", 'rowSpan="2"') + cell("7") + cell("9"),
        cell("", 'vMerge="1"') + cell("8", 'gridSpan="2"') + cell("", 'hMerge="1"'),
    )
    assert lines(tmp_path, shapes) == [
        "## Slide 1",
        "Output in tonnes",
        "| Plant | 2024 / Q1 | 2024 / Q2 |",
        "| --- | --- | --- |",
        "| Europe |  |  |",
        "| Graz | 7 | 9 |",
        "| Graz | 8 | 8 |",
    ]


def test_merged_values_are_not_taken_for_a_header(tmp_path: Path) -> None:
    shapes = table(cell("Hall 4", 'rowSpan="2"') + cell("Mon"), cell("", 'vMerge="1"') + cell("Tue"), cell("x") * 2)
    assert lines(tmp_path, shapes)[1:] == ["| Hall 4 | Mon |", "| --- | --- |", "| Hall 4 | Tue |", "| x | x |"]


def test_long_text_is_not_repeated_in_merged_cells(tmp_path: Path) -> None:
    long = "word " * 2_000
    shapes = table(
        cell(long, 'rowSpan="3000"') + cell("a"), *(cell("", 'vMerge="1"') + cell("b") for _ in range(3_000))
    )
    assert len("".join(lines(tmp_path, shapes))) < 100_000


FORMULA = (
    f"<m:oMath {_MATH}><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e>"
    "<m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>"
)


@pytest.mark.parametrize(
    ("paragraphs", "text"),
    [
        ('<a:p><a:r><a:t>10</a:t></a:r><a:r><a:rPr baseline="30000"/><a:t>6</a:t></a:r></a:p>', "10^6"),
        (
            '<a:p><a:r><a:t>CO</a:t></a:r><a:r><a:rPr baseline="-25%"/><a:t>2</a:t></a:r>'
            "<a:r><a:t> rises</a:t></a:r></a:p>",
            "CO2 rises",
        ),
        ('<a:p><a:r><a:rPr baseline="0"/><a:t>10</a:t></a:r><a:r><a:t>6</a:t></a:r></a:p>', "106"),
        (f'<a:p><a:r><a:t>y = </a:t></a:r><x:m xmlns:x="urn:x">{FORMULA}</x:m></a:p>', "y = x^2"),
        ('<a:p><a:r><a:t>up</a:t></a:r><a:br/><a:fld type="slidenum"><a:t>7</a:t></a:fld></a:p>', "up"),
        (
            '<a:p><a:pPr><a:buAutoNum type="arabicPeriod" startAt="3"/></a:pPr><a:r><a:t>a</a:t></a:r></a:p>'
            '<a:p><a:pPr lvl="1"><a:buAutoNum type="alphaLcParenR"/></a:pPr><a:r><a:t>b</a:t></a:r></a:p>'
            '<a:p><a:pPr lvl="2"/><a:r><a:t>c</a:t></a:r></a:p>'
            '<a:p><a:pPr><a:buAutoNum type="arabicPeriod" startAt="3"/></a:pPr><a:r><a:t>d</a:t></a:r></a:p>',
            "3. a\na) b\n  - c\n4. d",
        ),
    ],
)
def test_the_text_of_paragraphs(paragraphs: str, text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, pptx(slide_shape(paragraphs)), "a.pptx").text == f"## Slide 1\n\n{text}"


def test_a_shape_that_old_programs_show_as_a_picture(tmp_path: Path) -> None:
    """PowerPoint writes a shape with a formula so."""
    shape = slide_shape(f'<a:p><x:m xmlns:x="urn:x">{FORMULA}</x:m></a:p>')
    fallback = f"<mc:Fallback>{slide_shape('a picture')}</mc:Fallback>"
    shapes = f'<mc:AlternateContent {_MC}><mc:Choice Requires="a14">{shape}</mc:Choice>{fallback}</mc:AlternateContent>'
    assert lines(tmp_path, shapes) == ["## Slide 1", "x^2"]


def test_hidden_slides_are_read_and_said_to_be_hidden(tmp_path: Path) -> None:
    content = pptx(TITLE, slide_shape("text"), attributes={1: 'show="0"', 2: 'show="false"'})
    extract = read_content(tmp_path, content, "a.pptx")
    assert extract.text == "## Plan (hidden)\n\n## Slide 2 (hidden)\n\ntext"
    assert extract.warnings == ("slide 1 is hidden; it was read", "slide 2 is hidden; it was read")


def test_a_long_title_is_read_whole(tmp_path: Path) -> None:
    """Only in the path of headings it is truncated."""
    long = "word " * 100
    extract = read_content(tmp_path, pptx(slide_shape(long, placeholder='type="ctrTitle"')), "a.pptx")
    assert extract.text == f"## {long.strip()}"
    assert len(extract.headings[0].path) < 201


def test_footers_are_read_once(tmp_path: Path) -> None:
    slides = [
        slide_shape(f"text {number}")
        + slide_shape(footer, placeholder='type="ftr"')
        + slide_shape(str(number), placeholder='type="sldNum"')
        for number, footer in ((1, "Internal"), (2, "Internal"), (3, "Draft"))
    ]
    assert lines(tmp_path, *slides) == [
        *("## Slide 1", "text 1", "Footer: Internal", "## Slide 2", "text 2", "## Slide 3", "text 3", "Footer: Draft")
    ]


def test_notes_and_comments(tmp_path: Path) -> None:
    modern = 'xmlns:n="http://schemas.microsoft.com/office/powerpoint/2018/8/main"'
    p = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
    notes = slide_shape("Smile.", placeholder='type="body"') + slide_shape("7", placeholder='type="sldNum"')
    body = "<n:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></n:txBody>"
    more = {
        "ppt/notesSlides/n.xml": slide_part(notes, root="notes"),
        "ppt/authors.xml": f'<n:authorLst {modern}><n:author id="A" name="Ada"/></n:authorLst>',
        "ppt/comments/old.xml": f'<p:cmLst {p}><p:cm authorId="9"><p:text>Source?</p:text></p:cm></p:cmLst>',
        "ppt/comments/new.xml": (
            f'<n:cmLst {modern} {_A}><n:cm authorId="A">{body.format("Wrong")}<n:replyLst><n:reply authorId="A">'
            f"{body.format('Fixed')}</n:reply></n:replyLst></n:cm></n:cmLst>"
        ),
    }
    relations = {
        0: {"a": ("authors", "authors.xml")},
        1: {
            "n": ("notesSlide", "../notesSlides/n.xml"),
            "o": ("comments", "../comments/old.xml"),
            "c": ("comments", "../comments/new.xml"),
            "x": ("comments", "../comments/gone.xml"),
        },
    }
    extract = read_content(tmp_path, pptx(TITLE, relations=relations, more=more), "a.pptx")
    assert extract.text.split("\n\n") == [
        *("## Plan", "Notes: Smile.", "Comment: Source?", "Comment by Ada: Wrong", "Reply by Ada: Fixed")
    ]
    assert extract.warnings == ("the comments on slide 1 are missing or damaged",)


def picture(description: str = "", relation: str = "r1", media: str = "", more: str = "") -> str:
    return (
        f'<p:pic><p:nvPicPr><p:cNvPr id="1" name="x" descr="{description}">{more}</p:cNvPr><p:nvPr>{media}</p:nvPr>'
        f'</p:nvPicPr><p:blipFill><a:blip r:embed="{relation}"/></p:blipFill></p:pic>'
    )


def test_pictures_are_read_by_their_alternative_text(tmp_path: Path) -> None:
    decorative = '<d:decorative xmlns:d="http://schemas.microsoft.com/office/drawing/2017/decorative" val="1"/>'
    shapes = (
        picture("A pump with two valves\n\nDescription automatically generated")
        + picture("image1.png") + picture("") + picture(relation="r2")
        + picture(relation="r3", more=f"<a:extLst><a:ext>{decorative}</a:ext></a:extLst>")
    )  # fmt: skip
    relations = {1: {name: ("image", f"../media/{name}.png") for name in ("r1", "r2", "r3")}}
    extract = read_content(tmp_path, pptx(shapes, relations=relations), "a.pptx")
    assert extract.text == "## Slide 1\n\nPicture: A pump with two valves"
    assert extract.warnings == ("2 pictures were not read for lack of alternative text",)


def test_media_and_embedded_objects_are_reported(tmp_path: Path) -> None:
    shapes = (
        TITLE + picture(media='<a:videoFile r:link="r1"/>') + picture(media='<a:audioFile r:link="r1"/>')
        + slide_frame('<p:oleObj progId="Excel.Sheet.12"/>', "http://schemas.openxmlformats.org/presentationml/2006/ole")
        + slide_frame("<a:other/>", "urn:x/model3d") + "<p:contentPart/>"
    )  # fmt: skip
    assert read_content(tmp_path, pptx(shapes), "a.pptx").warnings == (
        "a video on slide 1 was not read",
        "a sound on slide 1 was not read",
        "an embedded object on slide 1 was not read (Excel.Sheet.12)",
        "an embedded object on slide 1 was not read (model3d)",
        "handwriting on slide 1 was not read",
    )


def test_a_damaged_slide_does_not_hide_the_others(tmp_path: Path) -> None:
    content = pptx(TITLE, "<p:sp>", TITLE, more={"ppt/slides/slide3.xml": slide_part(slide_shape("third"))})
    extract = read_content(tmp_path, content, "a.pptx")
    assert extract.text == "## Plan\n\n## Slide 3\n\nthird"
    assert [page.number for page in extract.pages] == [1, 3]
    assert extract.warnings == ("slide 2 is damaged and was not read",)


def test_presentations_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile):
        read_content(tmp_path, pptx(TITLE, more={"ppt/presentation.xml": "<p:x"}), "a.pptx")
    with pytest.raises(NoTextFound):
        read_content(tmp_path, pptx(""), "a.pptx")


@pytest.mark.parametrize("depth", [100, 5_000])
def test_deeply_nested_groups(depth: int, tmp_path: Path) -> None:
    """The XML parser rejects what is nested too deeply."""
    content = pptx(TITLE, "<p:grpSp>" * depth + slide_shape("deep") + "</p:grpSp>" * depth)
    extract = read_content(tmp_path, content, "a.pptx")
    assert ("deep" in extract.text) == (depth == 100)
    assert bool(extract.warnings) == (depth == 5_000)


def test_strict_presentations(tmp_path: Path) -> None:
    strict = slide_part(slide_shape("text")).replace("presentationml/2006", "X").replace("drawingml/2006", "Y")
    strict = strict.replace("http://schemas.openxmlformats.org/X", "http://purl.oclc.org/ooxml/presentationml")
    strict = strict.replace("http://schemas.openxmlformats.org/Y", "http://purl.oclc.org/ooxml/drawingml")
    content = pptx("", more={"ppt/slides/slide1.xml": strict})
    assert read_content(tmp_path, content, "a.pptx").text == "## Slide 1\n\ntext"


def test_many_shapes_take_little_time(tmp_path: Path) -> None:
    shapes = "".join(slide_shape(str(number), (number % 7, number % 11, 1, 0)) for number in range(5_000))
    groups = "".join(group((0, 0, 9, 9), (0, 0, 9, 9), slide_shape("g", (1, 1, 1, 1))) for _ in range(2_000))
    assert len(lines(tmp_path, shapes + groups)) == 7_001
