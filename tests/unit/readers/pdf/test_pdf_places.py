"""Where the words of a PDF are on its pages, compared with where PDFium's own search finds them."""

from __future__ import annotations

import time
from pathlib import Path

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pytest

from rag.chunkers import RecursiveStrategy, chunker_for
from rag.readers.extract.extract_json import from_json, to_json
from rag.types import Extract, Rectangle, TextRun
from rag.types.places import rectangles, unpacked
from tests.support.files.placed_pdf import Placed, placed_lines, placed_pdf, side_by_side
from tests.support.files.sample_files import read_content
from tests.unit.readers.pdf.test_pdf_layout import LEFT, RIGHT


def run_of(extract: Extract, words: str) -> TextRun:
    start = extract.text.index(words)
    (found,) = (run for run in extract.runs if run.start <= start and start + len(words) <= run.end)
    return found.part(start, start + len(words))


def searched(content: bytes, words: str, page: int = 1) -> Rectangle:
    """Where PDFium finds the words, on a page that is shown as it is."""
    opened = pdfium.PdfDocument(content)[page - 1]
    left_edge, _, _, top_edge = opened.get_bbox()
    text = opened.get_textpage()
    match = text.search(words).get_next()
    assert match is not None
    assert text.count_rects(*match) == 1
    left, bottom, right, top = text.get_rect(0)
    return Rectangle(page, left - left_edge, top_edge - top, right - left_edge, top_edge - bottom)


def assert_around(outer: Rectangle, inner: Rectangle, slack: float = 1.2) -> None:
    assert outer.page == inner.page
    assert outer.x0 == pytest.approx(inner.x0, abs=slack)
    assert outer.x1 == pytest.approx(inner.x1, abs=slack)
    assert outer.y0 <= inner.y0 + slack
    assert outer.y1 >= inner.y1 - slack
    assert outer.y1 - outer.y0 < 14


def test_rectangles_lie_on_the_words(tmp_path: Path) -> None:
    pages = [placed_lines(60, 700, LEFT), side_by_side(placed_lines(60, 500, LEFT), placed_lines(320, 500, RIGHT))]
    content = placed_pdf(pages)
    extract = read_content(tmp_path, content, "a.pdf")
    assert_around(run_of(extract, LEFT[2]).rectangle(), searched(content, LEFT[2]))
    for line in RIGHT:
        assert_around(run_of(extract, line).rectangle(), searched(content, line, page=2))
    word = searched(content, "gauge")
    assert_around(run_of(extract, "gauge").rectangle(), word, slack=6)  # estimated within a line


def test_each_passage_has_the_rectangles_of_its_lines(tmp_path: Path) -> None:
    content = placed_pdf([placed_lines(60, 700, LEFT), placed_lines(60, 700, RIGHT)])
    extract = read_content(tmp_path, content, "a.pdf")
    passages = chunker_for(RecursiveStrategy(max_chars=100, overlap_chars=0), None).chunk(extract)
    assert len(passages) > 2
    shown = [rectangles(unpacked(passage.places, passage.start)) for passage in passages]
    assert [len(found) for found in shown] == [len(passage.text.splitlines()) for passage in passages]
    assert_around(shown[0][1], searched(content, LEFT[1]))
    assert_around(shown[-1][-1], searched(content, RIGHT[-1], page=2))


def test_cells_of_a_row_share_a_rectangle(tmp_path: Path) -> None:
    names = placed_lines(60, 700, ["Sales", "Costs", "Tax"])
    amounts = placed_lines(200, 700, ["$ 81,797", "$ 4,000", "$ 12"])
    content = placed_pdf([side_by_side(names, amounts)])
    extract = read_content(tmp_path, content, "a.pdf")
    assert extract.text.startswith("Sales | $ 81,797\n")
    (row,) = rectangles(extract.runs[:2])
    assert row.x0 == pytest.approx(searched(content, "Sales").x0, abs=1.2)
    assert row.x1 == pytest.approx(searched(content, "$ 81,797").x1, abs=1.2)
    assert_around(run_of(extract, "$ 81,797").rectangle(), searched(content, "$ 81,797"))


def test_words_that_are_joined_and_characters_that_are_removed(tmp_path: Path) -> None:
    lines = ["The first one is an exam-", "ple of words that are cut,", "and some are not."]
    content = placed_pdf([placed_lines(60, 700, lines)])
    extract = read_content(tmp_path, content, "a.pdf")
    assert "example of words" in extract.text
    assert [extract.text[run.start : run.end] for run in extract.runs] == [lines[0][:-1], *lines[1:]]
    assert_around(run_of(extract, lines[2]).rectangle(), searched(content, lines[2]))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_page_that_is_shown_rotated(rotation: int, tmp_path: Path) -> None:
    upright, rotated = (
        read_content(tmp_path, placed_pdf([placed_lines(60, 500, LEFT)], rotation=turn), "a.pdf")
        for turn in (0, rotation)
    )
    height = 612 if rotation in (90, 270) else 792
    moved = [run._replace(y0=run.y0 + height - 792, y1=run.y1 + height - 792) for run in upright.runs]
    assert [tuple(run) for run in rotated.runs] == [pytest.approx(tuple(run), abs=0.2) for run in moved]


def test_a_page_that_is_cropped(tmp_path: Path) -> None:
    content = placed_pdf([placed_lines(160, 600, LEFT)])
    cropped = content.replace(b"/MediaBox [0 0 612 792]", b"/MediaBox [50 90 612 700]")
    extract = read_content(tmp_path, cropped, "a.pdf")
    assert_around(run_of(extract, LEFT[0]).rectangle(), searched(cropped, LEFT[0]))
    assert run_of(extract, LEFT[0]).x0 == pytest.approx(110, abs=1)


def test_words_off_the_page_have_no_place(tmp_path: Path) -> None:
    content = placed_pdf([[Placed(60, 700, "Here."), Placed(60, 9000, "Far above."), Placed(1e12, 600, "Nowhere.")]])
    extract = read_content(tmp_path, content, "a.pdf")
    assert [extract.text[run.start : run.end] for run in extract.runs] == ["Here."]


def test_values_of_fields_have_places_and_comments_none(tmp_path: Path) -> None:
    field = "/Subtype /Widget /FT /Tx /T (who) /V (Ada) /Rect [150 698 260 712] /P 10 0 R"
    comment = "/Subtype /Text /Contents (Ask Bo) /Rect [10 10 20 20]"
    content = placed_pdf([[Placed(60, 700, "Inspector")]], annotations=[field, comment])
    extract = read_content(tmp_path, content, "a.pdf")
    assert [extract.text[run.start : run.end] for run in extract.runs] == ["Inspector:", "Ada"]
    assert extract.text.endswith("[Comment: Ask Bo]")


def test_places_survive_storing(tmp_path: Path) -> None:
    extract = read_content(tmp_path, placed_pdf([placed_lines(60, 700, LEFT)]), "a.pdf")
    assert len(extract.runs) == len(LEFT)
    assert from_json(to_json(extract)) == extract


@pytest.mark.long
def test_very_many_words_have_places_in_time(tmp_path: Path) -> None:
    words = [Placed(20 + 90 * (n % 6), 780 - (n // 6) * 0.4, "x y z ab") for n in range(10_000)]
    started = time.monotonic()
    extract = read_content(tmp_path, placed_pdf([words]), "a.pdf")
    assert time.monotonic() - started < 20
    assert all(run.start < run.end for run in extract.runs)
