"""CSV, JSON, and tables of any origin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.errors import ParsingLimit
from rag.readers.tables.table import MAX_TABLE_CHARS, table_text
from rag.readers.text.delimited import find_delimiter
from tests.support.files.sample_files import read_content

LONG = [["Name", "Note"], *([f"n{index}", "x" * 40] for index in range(20))]


def test_a_small_csv_file_is_a_table(tmp_path: Path) -> None:
    extract = read_content(tmp_path, 'City,Sea\r\nKiel,"Baltic, mostly"\r\n', "a.csv")
    assert extract.text == "| City | Sea |\n| --- | --- |\n| Kiel | Baltic, mostly |"
    assert (extract.media_type, extract.is_markdown) == ("text/csv", True)


def test_rows_of_a_large_csv_file_say_their_columns(tmp_path: Path) -> None:
    content = "City;Inhabitants;Mayor\n" + "".join(f"City {n};{n};\n" for n in range(100))
    lines = read_content(tmp_path, content, "a.csv").text.split("\n")
    assert (len(lines), lines[99]) == (100, "- City: City 99; Inhabitants: 99; Mayor: (empty)")


def test_tabs(tmp_path: Path) -> None:
    extract = read_content(tmp_path, "a, b\tc\n1\t2\n", "a.tsv")
    assert extract.text == "| a, b | c |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2", ","),
        ("a;b\n1,5;2,5\n1,6;2,7", ";"),
        ("a\tb, c\n1\t2", "\t"),
        ("a|b|c\n1|2|3", "|"),
        ("one column", ","),
        ("", ","),
        ('"a;x",b\n"c;y",d', ","),
    ],
)
def test_delimiters_are_found(text: str, delimiter: str) -> None:
    assert find_delimiter(text) == delimiter


@pytest.mark.parametrize("content", ['a,"never closed\n1,2', "a,b\n1\n1,2,3\n", 'a"b,c\n'])
def test_odd_csv_loses_no_text(content: str, tmp_path: Path) -> None:
    text = read_content(tmp_path, content, "a.csv").text
    assert all(char in text for char in content if char.isalnum())


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], ""),
        ([["", " "], [""]], ""),
        ([["a", "", "b"], ["1", "", "2"], ["", "", ""]], "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ([["a\nb", "c|d"], ["1"]], "| a b | c\\|d |\n| --- | --- |\n| 1 |  |"),
        ([["one"], ["column"]], "one\ncolumn"),
        ([["x" * 300, "y" * 300]], f"{'x' * 300}; {'y' * 300}"),
    ],
)
def test_tables(rows: list[list[str]], text: str) -> None:
    assert table_text(rows) == text


def test_long_tables_are_written_row_by_row_if_they_have_a_header() -> None:
    assert len(table_text(LONG)) > MAX_TABLE_CHARS
    assert table_text(LONG).startswith("- Name: n0; Note: xx")
    assert table_text(LONG, has_header=False).startswith("| Name | Note |")


@pytest.mark.parametrize("header", [["Name", "17"], ["Same", "Same"], ["Name", "x" * 81], ["Name", "--"]])
def test_rows_that_do_not_look_like_a_header(header: list[str]) -> None:
    assert table_text([header, *LONG[1:]]).startswith("| ")


def test_json_values_say_their_path(tmp_path: Path) -> None:
    place = {"city": "London", "list": [{"a": True}]}
    value = {"name": "Ada", "born": 1815, "tags": ["x", "y"], "none": None, "at": place}
    extract = read_content(tmp_path, json.dumps(value), "a.json")
    assert (
        extract.text == "name: Ada\n\nborn: 1815\n\ntags: x, y\n\nnone: null\n\nat.city: London\n\nat.list[0].a: true"
    )
    assert (extract.is_markdown, extract.media_type, extract.title) == (False, "application/json", "")


def test_a_json_list_has_a_paragraph_for_each_object(tmp_path: Path) -> None:
    extract = read_content(tmp_path, '[{"a": 1, "b": "x"}, {"a": 2}]', "a.json")
    assert extract.text == "[0].a: 1\n[0].b: x\n\n[1].a: 2"
    assert read_content(tmp_path, '["a", "b", 3]', "a.json").text == "a\nb\n3"


def test_json_lines_have_a_paragraph_for_each_record(tmp_path: Path) -> None:
    extract = read_content(tmp_path, '{"a": 1, "b": "x"}\n\n{"a": 2}\nnot JSON\n"text"\n', "a.ndjson")
    assert extract.text == "a: 1\nb: x\n\na: 2\n\nnot JSON\n\ntext"
    assert extract.media_type == "application/jsonl"


def test_what_is_not_json_is_text(tmp_path: Path) -> None:
    extract = read_content(tmp_path, '{"a": 1, // comment\n', "a.json")
    assert (extract.text, extract.media_type) == ('{"a": 1, // comment\n', "text/plain")


def test_empty_json_values_stay(tmp_path: Path) -> None:
    value: object = {"limits": {"GTMS-10": {}, "GTMS-11": [], "GTMS-12": "", "GTMS-13": None, "GTMS-14": ["", None, 1]}}
    assert read_content(tmp_path, json.dumps(value), "a.json").text == (
        'limits.GTMS-10: {}\nlimits.GTMS-11: []\nlimits.GTMS-12: ""\nlimits.GTMS-13: null\nlimits.GTMS-14: "", null, 1'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("<p>Turn it <b>off</b>.</p><p>Wait &amp; see</p>", "a: Turn it **off**.\nWait & see"),
        ("one<br/>two", "a: one\ntwo"),
        ("List<String> and a < b > c", "a: List<String> and a < b > c"),
        ("if x <b and c> d", "a: if x <b and c> d"),
    ],
)
def test_html_in_json_loses_its_tags(value: str, text: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, json.dumps({"a": value}), "a.json").text == text


@pytest.mark.parametrize("content", ['{"a": 1}\n{"a": 2}\n', '{\n"a": 1\n}\n\n{"a":\n2}', '\x1e{"a": 1}\n\x1e{"a": 2}'])
def test_several_json_values_in_a_file_are_records(content: str, tmp_path: Path) -> None:
    assert read_content(tmp_path, content, "a.json").text == "a: 1\n\na: 2"


@pytest.mark.parametrize(
    ("content", "text", "warnings"),
    [
        ('{"a": "x // y", /* no */ "b": [1, 2,],\n// no\n}', "a: x // y\n\nb: 1, 2", ("2 comments were not read",)),
        ("{a: 'it\\'s \"x\"', $b_1: true,}", 'a: it\'s "x"\n\n$b_1: true', ()),
        ('{"url": "http://x.y/a,}", "c": "a: b"}//', "url: http://x.y/a,}\n\nc: a: b", ("1 comment was not read",)),
    ],
)
def test_json_with_comments(content: str, text: str, warnings: tuple[str, ...], tmp_path: Path) -> None:
    extract = read_content(tmp_path, content, "a.json")
    assert (extract.text, extract.warnings, extract.media_type) == (text, warnings, "application/json")


def test_a_csv_file_that_names_its_delimiter(tmp_path: Path) -> None:
    content = "sep=;\nname;qty, total;note\n" + "".join(f"Bolt {n};{n};note {n}\n" for n in range(40))
    lines = read_content(tmp_path, content, "a.csv").text.split("\n")
    assert (lines[0], len(lines)) == ("- name: Bolt 0; qty, total: 0; note: note 0", 40)


@pytest.mark.parametrize(
    "preamble", ["Report by Plant System\nPeriod: 2025-Q1\n\n", "Report by Plant System,,\nPeriod: 2025-Q1,,\n,,\n"]
)
def test_lines_above_the_header_of_a_csv_file(preamble: str, tmp_path: Path) -> None:
    content = preamble + "station,sensor,limit\n" + "".join(f"station {n},sensor {n},{n} bar\n" for n in range(40))
    text = read_content(tmp_path, content, "a.csv").text
    assert text.startswith(
        "Report by Plant System\nPeriod: 2025-Q1\n\n- station: station 0; sensor: sensor 0; limit: 0 bar\n"
    )


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("City,2021,2022", "- City: Town 7; 2021: 107; 2022: 207"),
        ("name,phone,phone", "- name: Town 7; phone: 107; phone: 207"),
        (",2021-01,2021-02", "- Town 7; 2021-01: 107; 2021-02: 207"),
    ],
)
def test_headers_of_csv_files(header: str, line: str, tmp_path: Path) -> None:
    rows = "".join(f"Town {n},{100 + n},{200 + n}\n" for n in range(50))
    assert line in read_content(tmp_path, f"{header}\n{rows}", "a.csv").text.split("\n")


def test_a_csv_file_without_a_header(tmp_path: Path) -> None:
    content = "".join(f"Town {n},{1990 + n % 20},{n}\n" for n in range(50))
    assert read_content(tmp_path, content, "a.csv").text.startswith("| Town 0 | 1990 | 0 |")


def test_json_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParsingLimit, match=r"^a\.json has values nested too deeply"):
        read_content(tmp_path, "[" * 100_000 + "]" * 100_000, "a.json")


def test_what_cannot_be_stored_is_replaced(tmp_path: Path) -> None:
    assert read_content(tmp_path, r'{"a": "x\u0000y\ud800z"}', "a.json").text == "a: x\ufffdy\ufffdz"


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    content = '{"version": 1.10, "price": 2.50, "mass": 6.0E-07, "id": 12345678901234567890}'
    lines = read_content(tmp_path, content, "a.json").text.split("\n\n")
    assert lines == ["version: 1.10", "price: 2.50", "mass: 6.0E-07", "id: 12345678901234567890"]
    assert read_content(tmp_path, '{"a": 1.10}\n{"a": 2.0}', "a.jsonl").text == "a: 1.10\n\na: 2.0"
    assert read_content(tmp_path, '{"a": 1.10, // b\n}', "a.json").text == "a: 1.10"


def test_character_references_in_json_are_text(tmp_path: Path) -> None:
    content = json.dumps({"a": "AT&amp;T &#8211; &quot;x&quot;", "b": "a & b; c&d; ?x=1&y=2"})
    assert read_content(tmp_path, content, "a.json").text == 'a: AT&T – "x"\n\nb: a & b; c&d; ?x=1&y=2'


@pytest.mark.parametrize("header", [",2024,2024,2025,2025\nItem,Q1,Q2,Q1,Q2", "Item,2024,2024,2025,2025\n,Q1,Q2,Q1,Q2"])
def test_groups_of_columns_may_be_named_above_each_column(header: str, tmp_path: Path) -> None:
    content = header + "\n" + "".join(f"P{n},{n},{n},{n},{2 * n}\n" for n in range(60))
    last = read_content(tmp_path, content, "a.csv").text.split("\n")[-1]
    assert last == "- Item: P59; 2024 / Q1: 59; 2024 / Q2: 59; 2025 / Q1: 59; 2025 / Q2: 118"


def test_html_in_cells_is_text(tmp_path: Path) -> None:
    content = 'sku,description\nA1,"<p>Soft <b>cotton</b> &amp; silk</p>"\nB2,a < b & c\n'
    rows = read_content(tmp_path, content, "a.csv").text.split("\n")[2:]
    assert rows == ["| A1 | Soft **cotton** & silk |", "| B2 | a < b & c |"]
