from __future__ import annotations

import pytest

from rag.retrieve.quoting.splitting import units_of
from rag.retrieve.quoting.window import TextWindow


def whole(text: str) -> TextWindow:
    return TextWindow(text, 0, (0, len(text)), starts_document=True, ends_document=True)


def quoted(text: str, heading: str = "") -> list[str]:
    return [unit.text for unit in units_of(whole(text), heading)]


def test_each_sentence_is_a_unit_with_its_place() -> None:
    text = "Owls hunt at night. They see well, and hear better.\n\nGulls live near the sea."
    units = units_of(whole(text), "")
    assert [text[unit.start : unit.end] for unit in units] == [
        "Owls hunt at night.", "They see well, and hear better.", "Gulls live near the sea."
    ]  # fmt: skip


def test_a_sentence_that_points_back_is_quoted_with_the_one_before() -> None:
    assert quoted("The owl is a bird of prey. It hunts mice at night.") == [
        "The owl is a bird of prey.",
        "The owl is a bird of prey. It hunts mice at night.",
    ]


def test_a_sentence_over_several_lines_is_one_line() -> None:
    assert quoted("The owl hunts\nmice at\nnight.") == ["The owl hunts mice at night."]


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("Read the **whole** [manual](manual.md) first.", "Read the whole manual first."),
        ("Set `RAG_LLM__MODEL` to a *hub id*.", "Set `RAG_LLM__MODEL` to a hub id."),
        ("A picture ![of an owl](owl.png) of the forest.", "A picture of the forest."),
        ("The tower is 300 m high.[12]", "The tower is 300 m high."),
        ("See <b>bold</b> and <i>italic</i> words here.", "See bold and italic words here."),
        ("It costs 5 &euro; &amp; more.", "It costs 5 € & more."),
        ("> The door is open at night.", "The door is open at night."),
        ("> 40 bar opens the valve.", "> 40 bar opens the valve."),
    ],
)
def test_markup_is_resolved(markdown: str, plain: str) -> None:
    assert quoted(markdown) == [plain]


def test_a_list_item_that_means_nothing_alone_has_its_introduction() -> None:
    long_item = "PDF files with a text layer, also encrypted ones, of up to 32 MiB each and any number of pages"
    text = f"These are supported:\n\n- {long_item}\n- Word files"
    assert quoted(text) == [
        f"These are supported: {long_item}",
        "These are supported: Word files",
    ]


def test_a_short_list_is_quoted_as_a_whole() -> None:
    assert quoted("## Formats\n\n- PDF\n- Word\n- EPUB\n") == ["Formats: PDF; Word; EPUB"]


def test_an_item_that_is_a_sentence_stands_alone() -> None:
    first, second = "Each file is parsed in a process of its own, with limits.", "Files are kept."
    assert quoted(f"## Rules\n\n- {first}\n- {second}") == [first, f"Rules: {second}"]


def test_a_table_row_has_its_column_names() -> None:
    text = "| option | default |\n|---|---|\n| `PORT` | 3000 |\n| `HOST` | |\n"
    assert quoted(text) == ["option: `PORT`; default: 3000", "option: `HOST`"]


def test_rows_without_their_header_stay_apart() -> None:
    text = "and more |\n| `PORT` | 3000 | where to serve |\n| `HOST` | 127.0.0.1 | who may connect |"
    assert quoted(text) == ["`PORT`: 3000; where to serve", "`HOST`: 127.0.0.1; who may connect"]


def test_a_command_has_the_line_that_introduces_it() -> None:
    assert quoted("Start the service:\n\n```sh\nmake serve\n```\n") == ["Start the service: `make serve`"]


def test_several_commands_stay_a_block() -> None:
    text = "## Start\n\n```sh\nmake serve\nmake test\n```\n"
    assert quoted(text) == ["Start:\n```sh\nmake serve\nmake test\n```"]


def test_the_documents_own_title_introduces_nothing() -> None:
    assert quoted("# The manual\n\n```sh\nmake serve\n```\n") == ["`make serve`"]


@pytest.mark.parametrize(
    "text",
    [
        "- [Home](index.md)",
        "[Installation](install.md) | [Usage](usage.md)",
        "See [operations.md](operations.md) for backups.",
        "[operations.md](operations.md) explains how to make backups.",
        "# A heading",
        "<!-- a comment for the authors of this page -->",
        "Is this the right answer?",
        "---",
        "12.5",
    ],
)
def test_what_answers_nothing_is_no_unit(text: str) -> None:
    assert quoted(text) == []


def test_a_sentence_that_continues_outside_of_the_window_is_left_out() -> None:
    text = "and so the first half is missing. Owls hunt at night. Of the last sentence the second half"
    window = TextWindow(text, 100, (100, 100 + len(text)))
    assert [unit.text for unit in units_of(window, "")] == ["Owls hunt at night."]


def test_only_units_of_the_passage_are_returned() -> None:
    text = "The one before is not found. Owls hunt at night. The one after is not found."
    window = TextWindow(text, 0, (29, 48), starts_document=True, ends_document=True)
    assert [unit.text for unit in units_of(window, "")] == ["Owls hunt at night."]


@pytest.mark.parametrize(
    "text", ["", " \n", "|", "```", "- ", "[", "**", "|\n|\n", "\x00", "# ", "1.", "<", "| a |\n|---|\n"]
)
def test_any_text_is_split(text: str) -> None:
    assert quoted(text) == []


def test_a_row_has_the_names_of_all_header_rows() -> None:
    table = "| | Domestic | |\n|---|---|---|\n| | 2019 | 2018 |\n| Discount rate | 4.00% | 3.75% |\n| | 1% | 2% |"
    found = units_of(TextWindow(table, 0, (0, len(table)), True, True), "")
    assert [unit.text for unit in found] == [
        "Discount rate; Domestic / 2019: 4.00%; Domestic / 2018: 3.75%", "Domestic / 2019: 1%; Domestic / 2018: 2%"
    ]  # fmt: skip


def test_brackets_in_code_are_no_references() -> None:
    text = "The key is `items[3].sku` for every item[2] of the list [note 1]."
    found = units_of(TextWindow(text, 0, (0, len(text)), True, True), "")
    assert [unit.text for unit in found] == ["The key is `items[3].sku` for every item of the list."]


def test_a_full_stop_at_the_end_of_a_cell_gives_way_to_the_separator() -> None:
    table = "| What | Why |\n|---|---|\n| It stops. | It is old. |"
    found = units_of(TextWindow(table, 0, (0, len(table)), True, True), "")
    assert [unit.text for unit in found] == ["What: It stops; Why: It is old."]


PDF_TABLE = (
    "Net sales by product were as follows (in millions):\n2022 | 2021\n"
    "iPhone | $ 40,665 | $ 39,570\nMac | 7,382 | 8,235\nDenominator:\nShares outstanding | 16,162 | 16,629\n"
    "iPad net sales fell during the third quarter of 2022.\n"
)


def test_the_rows_of_a_pdf_are_units_and_so_are_the_sentences_around_them() -> None:
    assert [unit.text for unit in units_of(whole(PDF_TABLE), "", "report.pdf")] == [
        "iPhone; 2022: $ 40,665; 2021: $ 39,570",
        "Mac; 2022: 7,382; 2021: 8,235",
        "Shares outstanding: 16,162; 16,629",
        "iPad net sales fell during the third quarter of 2022.",
    ]


def test_a_row_of_a_pdf_has_its_place() -> None:
    units = units_of(whole(PDF_TABLE), "", "report.pdf")
    assert PDF_TABLE[units[0].start : units[0].end] == "iPhone | $ 40,665 | $ 39,570"


def test_a_bar_in_the_prose_of_other_files_is_no_border() -> None:
    text = "Count the lines with cat log | grep error | wc in a shell.\nThe result of a | b is a set of bits, as in C."
    assert len(quoted(text)) == 2
    assert all(" | " in sentence for sentence in quoted(text))


def test_prose_beside_the_rows_of_a_cut_table_is_quoted() -> None:
    text = "| `HOST` | 127.0.0.1 | who may connect |\nThe service must be restarted after each change."
    assert quoted(text)[-1] == "The service must be restarted after each change."


def test_lines_that_are_no_prose_are_quoted_one_by_one() -> None:
    lines = [f"VX-{n:03d}    Valve number {n}    {2 * n} bar" for n in range(1, 9)]
    units = units_of(whole("\n".join(["PART      DESCRIPTION       PRESSURE", *lines])), "")
    assert [(unit.kind, unit.text) for unit in units] == [("row", " ".join(line.split())) for line in lines]
    prose = "The pump station is checked once a week by two people\nwho close the inlet valve and wait for the gauge."
    assert quoted(prose) == [prose.replace("\n", " ")]


def test_a_short_line_without_a_full_stop_is_quoted_if_it_says_a_number() -> None:
    assert quoted("Door code is 8841\n\nChapter 12\n\nOverview of the plant\n\nDrehmoment 12 Nm") == [
        "Door code is 8841",
        "Drehmoment 12 Nm",
    ]


def test_rows_that_are_written_with_column_names_are_rows() -> None:
    units = units_of(whole("- Part: A-1; Mass: 3 kg\n- Part: A-2; Mass: 4 kg\n\n- an item; with a semicolon"), "")
    assert [(unit.kind, unit.text) for unit in units[:2]] == [
        ("row", "Part: A-1; Mass: 3 kg"),
        ("row", "Part: A-2; Mass: 4 kg"),
    ]
    assert units[2].kind == "item"
