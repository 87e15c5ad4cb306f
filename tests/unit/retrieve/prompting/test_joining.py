"""A hit that is a part of a table, list or record is joined with the rest, or as much of it as fits."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pytest

from rag.chunkers import (
    Chunker,
    ParentChildStrategy,
    RecursiveStrategy,
    SentenceStrategy,
    StructureStrategy,
    chunker_for,
)
from rag.retrieve.prompting.joining import JoinedHits, join_hits, joinable_ids
from rag.retrieve.ranking.duplicates import chunk_with_context
from rag.types import Chunk, Extract, Hit
from tests.support.builders import a_chunk
from tests.support.files.placed_pdf import placed_lines, placed_pdf, side_by_side
from tests.support.files.sample_files import docx, read_content, word_paragraph, word_table

NAMES = ["Part", "Name", "Voltage"]
ROWS = [[f"PX-{n:03d}", f"pump of type {n}", f"{230 + n} V"] for n in range(40)]
LONG = [[f"PX-{n:03d}", f"pump of type {n}", f"{230 + n} V"] for n in range(160)]
STRATEGIES = (
    RecursiveStrategy(),
    SentenceStrategy(max_chars=300),
    StructureStrategy(max_chars=400),
    ParentChildStrategy(parent_chars=1024),
)
CHUNKERS = [chunker_for(strategy, None) for strategy in STRATEGIES]
every_chunker = pytest.mark.parametrize("chunker", CHUNKERS, ids=lambda chunker: type(chunker).__name__)
RECURSIVE = CHUNKERS[0]


def count(text: str) -> int:
    return len(text.split())


def stored(extract: Extract, chunker: Chunker) -> list[Chunk]:
    """The chunks as a search returns them."""
    names = ("start", "end", "heading", "page", "pages", "places", "header", "context")
    passages = chunker.chunk(extract)
    return [
        chunk_with_context(a_chunk(each.text, ordinal=n, **{name: getattr(each, name) for name in names}))
        for n, each in enumerate(passages)
    ]


def with_words(chunks: list[Chunk], words: str) -> Chunk:
    return next(chunk for chunk in chunks if words in chunk.text)


def joined(chunks: list[Chunk], *found: str, max_tokens: int = 10_000) -> JoinedHits:
    """The hits with these words, joined with what is read of the other chunks."""
    hits = [Hit(with_words(chunks, words), 1.0 - n / 10) for n, words in enumerate(found)]
    by_id = {chunk.chunk_id: chunk for chunk in chunks}
    neighbours = {name: by_id[name] for name in joinable_ids(hits) if name in by_id}
    return join_hits(hits, neighbours, max_tokens, count)


def markdown(rows: list[list[str]] = ROWS) -> str:
    lines = [NAMES, ["---"] * 3, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def around(table: str) -> Extract:
    return Extract(f"Words before.\n\nTable 3: Stock\n\n{table}\n\nWords after.", "text/markdown", is_markdown=True)


@every_chunker
@pytest.mark.parametrize("part", ["PX-000", "PX-020", "PX-039"])
def test_a_table_is_whole_from_wherever_it_was_found(chunker: Chunker, part: str) -> None:
    extract = around(markdown())
    (hit,) = joined(stored(extract, chunker), part).hits
    assert markdown() in f"{hit.chunk.header}\n{hit.chunk.text}"
    assert extract.text[hit.chunk.start : hit.chunk.end] == hit.chunk.text


def csv_extract(folder: Path) -> Extract:
    return read_content(folder, "\n".join(map(",".join, [NAMES, *ROWS])).encode(), "a.csv")


def xlsx_extract(folder: Path) -> Extract:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in (NAMES, *ROWS):
        book.active.append(row)
    book.save(content)
    return read_content(folder, content.getvalue(), "a.xlsx")


def html_extract(folder: Path) -> Extract:
    cells = ["".join(f"<td>{cell}</td>" for cell in row) for row in ROWS]
    head = "".join(f"<th>{name}</th>" for name in NAMES)
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    page = f"<html><body><p>Words before.</p><table><tr>{head}</tr>{rows}</table><p>Words after.</p></body></html>"
    return read_content(folder, page.encode(), "a.html")


def docx_extract(folder: Path) -> Extract:
    return read_content(
        folder, docx(word_table([[word_paragraph(cell) for cell in row] for row in (NAMES, *ROWS)])), "a.docx"
    )


def pdf_extract(folder: Path) -> Extract:
    columns = zip(*[NAMES, *ROWS], strict=True)
    page = side_by_side(*(placed_lines(60 + 160 * n, 760, list(column)) for n, column in enumerate(columns)))
    return read_content(folder, placed_pdf([page]), "a.pdf")


@every_chunker
@pytest.mark.parametrize("made", [csv_extract, xlsx_extract, html_extract, docx_extract, pdf_extract])
def test_tables_of_each_format_are_whole(tmp_path: Path, made: Callable[[Path], Extract], chunker: Chunker) -> None:
    extract = made(tmp_path)
    (hit,) = joined(stored(extract, chunker), "PX-017").hits
    lines = hit.chunk.text.split("\n")
    assert [line for line in lines if "PX-" in line] == [line for line in extract.text.split("\n") if "PX-" in line]
    assert extract.text[hit.chunk.start : hit.chunk.end] == hit.chunk.text


def rows_in(text: str) -> list[int]:
    return [int(line.partition("PX-")[2][:3]) for line in text.split("\n") if "PX-" in line]


@every_chunker
def test_of_a_table_that_does_not_fit_there_are_the_rows_around_the_hit(chunker: Chunker) -> None:
    chunks = stored(around(markdown(LONG)), chunker)
    own = with_words(chunks, "PX-080")
    (hit,), tokens = (result := joined(chunks, "PX-080", max_tokens=900)).hits, result.tokens
    assert count(hit.chunk.text) - count(own.text) <= tokens <= 900
    rows, found = rows_in(hit.chunk.text), rows_in(own.text)
    assert rows == list(range(rows[0], rows[-1] + 1))
    assert rows[0] < found[0]
    assert rows[-1] > found[-1]
    assert len(rows) < len(LONG)
    assert hit.chunk.header.endswith("| --- | --- | --- |")


def test_both_sides_of_a_hit_get_the_same_number_of_chunks() -> None:
    chunks = stored(around(markdown(LONG)), RECURSIVE)
    own = rows_in(with_words(chunks, "PX-080").text)
    (hit,) = joined(chunks, "PX-080", max_tokens=600).hits
    rows = rows_in(hit.chunk.text)
    assert abs((own[0] - rows[0]) - (rows[-1] - own[-1])) <= 1


@every_chunker
def test_two_hits_of_one_table_are_one_passage_at_the_place_of_the_better_one(chunker: Chunker) -> None:
    chunks = stored(Extract(f"Words.\n\n{markdown()}", "text/markdown", is_markdown=True), chunker)
    (hit,) = joined(chunks, "PX-030", "PX-005").hits
    assert hit.chunk.chunk_id == with_words(chunks, "PX-030").chunk_id
    assert hit.score == 1.0
    assert rows_in(hit.chunk.text) == list(range(len(ROWS)))


def test_two_hits_of_a_table_that_does_not_fit_have_no_row_in_common() -> None:
    chunks = stored(around(markdown()), RECURSIVE)
    hits = joined(chunks, "PX-030", "PX-005", max_tokens=160).hits
    rows = [row for hit in hits for row in rows_in(hit.chunk.text)]
    assert len(hits) == 2
    assert len(rows) == len(set(rows))


def test_tables_share_the_tokens_and_what_a_small_one_leaves_goes_to_a_large_one() -> None:
    small, large = ROWS[:12], [[name.replace("PX", "QX"), *rest] for name, *rest in ROWS]
    text = f"{markdown(small)}\n\n{'Other words. ' * 90}\n\n{markdown(large)}"
    chunks = stored(Extract(text, "text/markdown", is_markdown=True), RECURSIVE)
    one, other = joined(chunks, "QX-020", "PX-003", max_tokens=300).hits
    assert rows_in(other.chunk.text) == list(range(12))
    assert 15 < one.chunk.text.count("QX-") < len(large)


def test_the_table_after_a_table_is_not_joined() -> None:
    cities = "\n".join(["| City | Height |", "|---|---|", *(f"| C{n} | {n} m |" for n in range(90))])
    text = f"{markdown()}\n\nOther words.\n\n{cities}"
    chunks = stored(Extract(text, "text/markdown", is_markdown=True), RECURSIVE)
    (hit,) = joined(chunks, "PX-020").hits
    assert "| C30 |" not in hit.chunk.text
    (hit,) = joined(chunks, "| C50 |").hits
    assert "PX-020" not in hit.chunk.text


def test_sheets_with_the_same_columns_are_told_from_each_other(tmp_path: Path) -> None:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for number in (1, 2):
        sheet = book.create_sheet(f"Site {number}")
        for row in (NAMES, *ROWS[20 * (number - 1) : 20 * number]):
            sheet.append(row)
    book.save(content)
    chunks = stored(read_content(tmp_path, content.getvalue(), "a.xlsx"), CHUNKERS[2])
    (hit,) = joined(chunks, "PX-010").hits
    assert rows_in(hit.chunk.text) == list(range(20))


def test_a_long_row_that_was_cut_is_one_line_again() -> None:
    row = "- Part: PX-037; " + "; ".join(f"Column {n}: some value {n}" for n in range(60))
    extract = Extract(f"- Part: PX-036; Name: pump\n{row}\n- Part: PX-038; Name: valve", "text/markdown")
    (hit,) = joined(stored(extract, RECURSIVE), "some value 40").hits
    assert hit.chunk.text == extract.text


@every_chunker
def test_a_record_is_whole(tmp_path: Path, chunker: Chunker) -> None:
    steps = " ".join(f"Step {n} greases the pump at its point {n}." for n in range(40))
    records = [{"sku": f"PX-{n}", "manual": steps, "pressure": f"{n} bar"} for n in range(1, 5)]
    extract = read_content(tmp_path, json.dumps({"items": records}), "a.json")
    (hit,) = joined(stored(extract, chunker), "pressure: 3 bar").hits
    start, end = extract.text.index("items[2].sku"), extract.text.index("pressure: 3 bar")
    assert hit.chunk.start <= start < end < hit.chunk.end


def test_a_list_is_whole_below_the_line_that_introduces_it() -> None:
    items = "\n".join(f"- tool number {n}, which is used for work of kind {n}" for n in range(40))
    extract = Extract(f"Words before.\n\nTools allowed on site:\n\n{items}\n\nWords after.", "text/markdown")
    (hit,) = joined(stored(extract, RECURSIVE), "tool number 22").hits
    assert f"Tools allowed on site:\n\n{items}" in hit.chunk.text


def test_prose_is_not_joined_and_its_neighbours_are_not_read() -> None:
    text = "\n\n".join(f"Paragraph {n} says something about pumps and nothing else. " * 5 for n in range(20))
    chunks = stored(Extract(text, "text/plain"), RECURSIVE)
    hits = [Hit(chunk, 1.0) for chunk in chunks[3:6]]
    assert joinable_ids(hits) == []
    assert join_hits(hits, {chunk.chunk_id: chunk for chunk in chunks}, 10_000, count).hits == hits


def test_no_more_neighbours_are_read_for_many_hits_than_for_one() -> None:
    chunks = stored(around(markdown(ROWS * 9)), RECURSIVE)
    for found in (1, 2, 10):
        hits = [Hit(chunk, 1.0) for chunk in chunks[20 : 20 + found]]
        assert 0 < len(joinable_ids(hits)) <= 64


def test_a_joined_passage_of_a_pdf_has_the_pages_and_places_of_all_its_rows(tmp_path: Path) -> None:
    pages = []
    for rows in ([NAMES, *ROWS[:20]], ROWS[20:]):
        columns = zip(*rows, strict=True)
        pages.append(side_by_side(*(placed_lines(60 + 160 * n, 760, list(cells)) for n, cells in enumerate(columns))))
    extract = read_content(tmp_path, placed_pdf(pages), "a.pdf")
    (hit,) = joined(stored(extract, RECURSIVE), "PX-004").hits
    whole = stored(extract, chunker_for(RecursiveStrategy(max_chars=16_000), None))[0]
    assert set(whole.rectangles) >= set(hit.chunk.rectangles)
    on_first_page = [place for place in hit.chunk.rectangles if place.page == 1]
    assert len(on_first_page) >= 20
    assert hit.chunk.page_numbers == sorted({place.page for place in hit.chunk.rectangles})


def test_a_larger_text_whose_place_is_not_certain_is_not_joined() -> None:
    """A passage that occurs twice in its larger text leaves open where that begins."""
    header = "| A | B |"
    first = a_chunk("| a | 1 |\n| b | 2 |\n| c | 3 |", ordinal=0, start=0, header=header)
    second = a_chunk("| d | 4 |\n| e | 5 |", ordinal=1, start=15, end=34, header=header)
    chunks = {chunk.chunk_id: chunk for chunk in (first, second)}
    hits = [Hit(first, 1.0)]
    assert join_hits(hits, chunks, 1000, count).hits == hits
