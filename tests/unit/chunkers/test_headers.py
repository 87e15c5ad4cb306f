"""A passage that begins inside a table, a list or a record has its header; offsets stay those of the text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rag.chunkers import (
    Chunker,
    ParentChildStrategy,
    RecursiveStrategy,
    SentenceStrategy,
    StructureStrategy,
    chunker_for,
)
from rag.chunkers.headers import headers_of
from rag.readers import read
from rag.types import Extract, Passage, passage_text, readable_text
from tests.support.files.placed_pdf import placed_lines, placed_pdf, side_by_side
from tests.support.files.sample_files import read_content

NAMES = "| Part | Name | Voltage |"
RULE = "|---|---|---|"
ROWS = [f"| PX-{n:03d} | pump type {n} | {230 + n} |" for n in range(60)]
TABLE = "\n".join([NAMES, RULE, *ROWS])
CHUNKERS = [
    chunker_for(strategy, None)
    for strategy in (
        RecursiveStrategy(),
        SentenceStrategy(max_chars=300),
        StructureStrategy(max_chars=400),
        ParentChildStrategy(parent_chars=1024),
    )
]
every_chunker = pytest.mark.parametrize("chunker", CHUNKERS, ids=lambda chunker: type(chunker).__name__)


def markdown(text: str) -> Extract:
    return Extract(text, "text/markdown", is_markdown=True)


def passage_with(passages: list[Passage], words: str) -> Passage:
    return next(passage for passage in passages if words in passage.text)


def json_passages(tmp_path: Path, name: str, content: str, chunker: Chunker) -> list[Passage]:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return chunker.chunk(read(path, name))


@every_chunker
def test_each_passage_of_a_table_has_the_column_names_and_the_caption(chunker: Chunker) -> None:
    text = f"Some words before.\n\nTable 3: Stock in Turin\n\n{TABLE}\n\nSome words after."
    passages = chunker.chunk(markdown(text))
    assert len(passages) > 5
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        if "| PX-" in passage.text:
            assert NAMES in passage_text(passage)
            assert "Table 3: Stock in Turin" in passage_text(passage)
            assert readable_text(passage).count(NAMES) == 1
        else:
            assert not passage.header
    assert passage_with(passages, "PX-037").header == f"Table 3: Stock in Turin\n{NAMES}\n{RULE}"


@every_chunker
def test_no_row_of_a_table_is_repeated(chunker: Chunker) -> None:
    passages = chunker.chunk(markdown(TABLE))
    assert "\n".join(passage.text for passage in passages).splitlines() == TABLE.splitlines()


PRODUCTS = [f"Product {n} | $ {n},669 | $ {n},570" for n in range(10, 70)]
SALES = [
    "Some words before.",
    "Net sales by category were as follows (dollars in",
    "millions):",
    "Three Months Ended",
    "June 25,",
    "2022",
    "June 26,",
    "2021",
    "Net sales:",
    *PRODUCTS,
    "",
    "Some words after.",
]


@every_chunker
@pytest.mark.parametrize("repeated", ["", "Product | 2022 | 2021\n"])
def test_a_pdf_table_goes_on_on_the_next_pages(chunker: Chunker, repeated: str) -> None:
    pages = [PRODUCTS[:20], PRODUCTS[20:40], PRODUCTS[40:]]
    parts = ["\n".join(["Rev. C", repeated + "\n".join(page), "Page x"]) for page in pages[1:]]
    first = "\n".join(["Sales", "Product | 2022 | 2021", *pages[0], "Confidential"])
    text = "\n\n".join([first, *parts, "Rates\nCity | Low | High\nOslo | 3 | 4\nRome | 5 | 6\nBonn | 7 | 8"])
    passages = chunker.chunk(Extract(text, "application/pdf"))
    for product in (PRODUCTS[25], PRODUCTS[55]):
        assert "Product | 2022 | 2021" in passage_text(passage_with(passages, product))
    assert "Product" not in headers_of(Extract(text, "application/pdf")).at(text.index("Rome"))


@every_chunker
def test_each_passage_of_a_pdf_table_has_its_column_names_and_caption(chunker: Chunker) -> None:
    text = "\n".join(SALES)
    passages = chunker.chunk(Extract(text, "application/pdf"))
    for product in PRODUCTS[20:]:
        passage = passage_with(passages, product)
        assert passage.header.split("\n") == SALES[1:8]
        assert text[passage.start : passage.end] == passage.text


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["Products sold", "Part | Name | Price"], "Products sold\nPart | Name | Price"),
        (["It ends here.", "(In millions) | Apr 1, 2023 | Apr 2, 2022"], "(In millions) | Apr 1, 2023 | Apr 2, 2022"),
        (["It ends here.", "2021 | 2022 | Change"], "2021 | 2022 | Change"),
        (
            ["All sales", "Three Months | Six Months", "2021 | 2022"],
            "All sales\nThree Months | Six Months\n2021 | 2022",
        ),
        (["A line of the text that has nothing to do with the rows."], ""),
    ],
)
def test_column_names_of_pdf_tables(lines: list[str], header: str) -> None:
    rows = [f"P{n} | {n} | {n}" for n in range(90)]
    passages = CHUNKERS[0].chunk(Extract("\n".join([*lines, *rows]), "application/pdf"))
    assert passage_with(passages, "P80 |").header == header


def test_the_names_of_a_pdf_table_of_words_are_its_first_row(tmp_path: Path) -> None:
    names = ["Name", *(f"Person {'I' * n}" for n in range(1, 40))]
    roles = ["Role", *(f"Pilot {'V' * n}" for n in range(1, 40))]
    page = side_by_side(placed_lines(60, 760, names), placed_lines(320, 760, roles))
    passages = CHUNKERS[1].chunk(read_content(tmp_path, placed_pdf([page]), "a.pdf"))
    assert passages[-1].header == "Name | Role"


def test_tables_are_told_from_each_other() -> None:
    text = f"{TABLE}\n\nWord\n\n| City | Height |\n| :--- | ---: |\n" + "\n".join(f"| C{n} | {n} |" for n in range(90))
    passages = CHUNKERS[0].chunk(markdown(text))
    assert passage_with(passages, "| C80 |").header == "Word\n| City | Height |\n| :--- | ---: |"
    assert passage_with(passages, "| PX-050 |").header == f"{NAMES}\n{RULE}"


def test_column_names_in_several_rows() -> None:
    rows = "\n".join(f"| Line {n} | ${n} | ${n + 1} | a long note about line {n} |" for n in range(40))
    names = "| | Fiscal | | |\n|---|---|---|---|\n| | 2019 | 2018 | |\n| | (in millions) | | |"
    passages = CHUNKERS[0].chunk(markdown(f"{names}\n{rows}"))
    assert passages[-1].header == names


@pytest.mark.parametrize("text", ["a | b\n---\nc | d", "| a | b |\n| c | d |\n| e | f |", "Title\n---\ntext | text"])
def test_text_with_bars_is_no_table(text: str) -> None:
    headers = headers_of(markdown(text))
    assert {headers.at(offset) for offset in range(len(text))} == {""}


@every_chunker
def test_each_passage_of_a_list_has_the_line_that_introduces_it(chunker: Chunker) -> None:
    items = "\n".join(f"- item number {n} of this long list, which goes on\n  and on" for n in range(40))
    passages = chunker.chunk(markdown(f"Tools that are allowed on site:\n\n{items}\n\nNothing else is."))
    assert "Tools that are allowed on site:" in passage_text(passage_with(passages, "item number 33"))
    assert not passage_with(passages, "Nothing else is.").header or "item number" in passages[-1].text


RECORDS = [
    {"sku": f"PX-{n:03d}", "manual": "This pump is greased and stored over winter. " * 20, "pressure": f"{n} bar"}
    for n in range(1, 9)
]


@every_chunker
@pytest.mark.parametrize("name", ["a.jsonl", "list.json", "nested.json", "deep.json", "sequence.json"])
def test_each_passage_of_a_record_has_its_key(tmp_path: Path, name: str, chunker: Chunker) -> None:
    lines = "\n".join(map(json.dumps, RECORDS))
    content = {
        "a.jsonl": lines,
        "sequence.json": lines,
        "list.json": json.dumps(RECORDS),
        "nested.json": json.dumps({"items": RECORDS}),
        "deep.json": json.dumps({"data": {"site": "Graz", "items": RECORDS}}),
    }[name]
    passages = json_passages(tmp_path, name, content, chunker)
    for number in range(1, 9):
        words = passage_text(passage_with(passages, f"pressure: {number} bar"))
        assert f"sku: PX-{number:03d}" in words
        assert words.count("sku: ") == 1


def test_a_value_with_several_lines_stays_in_its_record(tmp_path: Path) -> None:
    record = {"id": "E-7", "note": "\n".join(f"Line {n}: words without end" for n in range(60)), "state": "open"}
    passages = json_passages(tmp_path, "a.json", json.dumps({"faults": [record, {"id": "E-8"}]}), CHUNKERS[0])
    assert passage_with(passages, "state: open").header == "faults[0].id: E-7"
    assert not passage_with(passages, "id: E-8").header


def test_records_in_records(tmp_path: Path) -> None:
    lines = [{"name": f"line {n}", "note": "word " * 150} for n in range(3)]
    passages = json_passages(tmp_path, "a.json", json.dumps([{"order": 7, "id": "A-7", "lines": lines}]), CHUNKERS[0])
    last = passages[-1]
    assert last.header == "[0].id: A-7\n[0].lines[2].name: line 2"


def test_a_long_row_that_is_cut_keeps_its_first_cell() -> None:
    row = "- Part: PX-037; " + "; ".join(f"Column {n}: some value {n}" for n in range(60))
    passages = CHUNKERS[0].chunk(markdown(f"- Part: PX-036; Name: pump\n{row}"))
    assert passages[-1].header == "- Part: PX-037"


def test_the_header_of_a_wide_table_is_limited() -> None:
    names = "| " + " | ".join(f"a very long name of column {n}" for n in range(90)) + " |"
    text = "\n".join([names, "|" + "---|" * 90, *("| " + "x | " * 90 for _ in range(9))])
    assert max(len(passage.header) for passage in CHUNKERS[0].chunk(markdown(text))) == 1_000


HOSTILE = [
    "- a:\n" * 20_000,
    "a:\n\n" * 20_000,
    "| a |\n|-|\n" * 20_000,
    "|-" * 50_000,
    "x: \n- " * 20_000,
    "a[0]" * 20_000,
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("media_type", ["text/markdown", "application/json"])
def test_hostile_texts_take_linear_time(number: int, media_type: str) -> None:
    began = time.thread_time()
    headers = headers_of(Extract(HOSTILE[number], media_type))
    for offset in range(0, len(HOSTILE[number]), 500):
        headers.at(offset)
    assert time.thread_time() - began < 10


def test_deeply_nested_records_take_linear_time() -> None:
    text = "\n".join(f"{'a[0].' * n}id: {n}" for n in range(60)) + "\n" + f"{'a[0].' * 60}x: 1\n" * 20_000
    began = time.thread_time()
    headers_of(Extract(text, "application/json"))
    assert time.thread_time() - began < 10


ITEMS = [(f"C-{n:03d}", f"coupling {n}", f"{n * 4} Nm") for n in range(60)]
DRAWN = {
    "a.rst": (
        "=====  =========  ======\nCode   Name       Torque\n=====  =========  ======\n",
        "{:6} {:12} {}\n",
        "Code   Name       Torque",
    ),
    "psql.txt": (" code | name | torque\n------+------+--------\n", " {} | {} | {}\n", " code | name | torque"),
    "mysql.txt": (
        "+------+------+--------+\n| code | name | torque |\n+------+------+--------+\n",
        "| {} | {} | {} |\n",
        "| code | name | torque |",
    ),
    "a.adoc": ("|===\n|Code |Name |Torque\n\n", "|{} |{} |{}\n", "|Code |Name |Torque"),
}


@every_chunker
@pytest.mark.parametrize("name", DRAWN)
def test_passages_of_a_drawn_table_have_the_column_names(chunker: Chunker, name: str, tmp_path: Path) -> None:
    start, row, names = DRAWN[name]
    text = "Before.\n\nTorque of couplings\n\n" + start + "".join(row.format(*item) for item in ITEMS)
    end = "|===\n" if name.endswith("adoc") else ""
    passages = chunker.chunk(read_content(tmp_path, f"{text}{end}\nAfter the table.\n", name))
    assert "188 Nm" in passage_with(passages, "C-047").text
    for passage in passages:
        if "C-" in passage.text:
            assert names.strip() in passage_text(passage)
            assert "Torque of couplings" in passage_text(passage)
    assert not passage_with(passages, "After").header or "C-059" in passage_with(passages, "After").text


@pytest.mark.parametrize("text", ["Title\n-----\n\nSome text.", "a\n\n-- \nJohn", "text -- with dashes\n- - -\nmore"])
def test_lines_of_dashes_that_draw_no_table_have_no_header(text: str) -> None:
    headers = headers_of(Extract(text, "text/plain"))
    assert not any(headers.at(offset) for offset in range(len(text)))


@every_chunker
def test_rows_with_column_names_have_the_caption_of_their_table(chunker: Chunker) -> None:
    rows = "\n".join(f"- Port: Port {n}; High: {n}.1 m; Low: {n}.2 m" for n in range(60))
    passages = chunker.chunk(markdown(f"Some words.\n\nTide heights in March\n\n{rows}\n\nSome more words."))
    assert all("Tide heights in March" in passage_text(each) for each in passages if "- Port" in each.text)
