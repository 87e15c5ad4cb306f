from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.files.placed_pdf import Placed, placed_lines, placed_pdf, side_by_side
from tests.support.files.sample_files import pdf, read_content

LEFT = [
    "The inlet valve is closed before",
    "the pump is opened. Wait for the",
    "gauge to show zero, then open",
    "the drain and check that no oil",
    "is left in the lower chamber.",
]
RIGHT = [
    "Lunch is served on Mondays and",
    "on the following days between",
    "noon and two. Coffee is free for",
    "everyone who works at night in",
    "the halls one, two and three.",
]
MIDDLE = [
    "The keys of the cupboard are at",
    "the gate. Whoever takes one has",
    "to sign for it, and gives it back",
    "on the same day to the guard who",
    "is on duty in the evening.",
]


def text_of(tmp_path: Path, *pages: list[Placed]) -> str:
    return read_content(tmp_path, placed_pdf(pages), "a.pdf").text


def test_columns_drawn_row_by_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    columns = side_by_side(placed_lines(60, 700, LEFT), placed_lines(320, 700, RIGHT))
    assert text_of(tmp_path, columns) == "\n".join(LEFT + RIGHT)


def test_columns_whose_lines_are_not_at_the_same_height(tmp_path: Path) -> None:
    columns = side_by_side(placed_lines(60, 700, LEFT), placed_lines(320, 695, RIGHT))
    assert text_of(tmp_path, columns) == "\n".join(LEFT + RIGHT)


def test_three_columns(tmp_path: Path) -> None:
    columns = side_by_side(placed_lines(40, 700, LEFT), placed_lines(230, 700, MIDDLE), placed_lines(420, 700, RIGHT))
    assert text_of(tmp_path, columns) == "\n".join(LEFT + MIDDLE + RIGHT)


def test_columns_that_are_in_order_stay(tmp_path: Path) -> None:
    columns = placed_lines(320, 700, RIGHT) + placed_lines(60, 700, LEFT)
    assert text_of(tmp_path, columns) == "\n".join(RIGHT + LEFT)


def test_wide_lines_above_and_below_columns(tmp_path: Path) -> None:
    title = "A title that stands above both columns and is as wide as the whole page, from left to right"
    note = "A note that stands below both columns and is as wide as the whole page, from left to right too"
    columns = side_by_side(placed_lines(60, 700, LEFT), placed_lines(320, 700, RIGHT))
    page = [Placed(60, 730, title), *columns, Placed(60, 600, note)]
    assert text_of(tmp_path, page) == "\n".join([title, *LEFT, *RIGHT, note])


def test_a_longer_left_column_and_a_heading_above_the_right_one(tmp_path: Path) -> None:
    left = [*LEFT, "After that the machine is ready", "for the next shift."]
    page = side_by_side(placed_lines(60, 700, left), placed_lines(320, 688, RIGHT))
    assert text_of(tmp_path, [page[0], Placed(320, 700, "Canteen"), *page[1:]]) == "\n".join([*left, "Canteen", *RIGHT])


def test_words_cut_at_the_end_of_a_columns_line(tmp_path: Path) -> None:
    left = [*LEFT[:3], "the drain and check that no li-", "quid is left in the chamber."]
    columns = side_by_side(placed_lines(60, 700, left), placed_lines(320, 700, RIGHT))
    assert "no liquid is left in the chamber.\nLunch is served" in text_of(tmp_path, columns)


def test_rows_of_a_table_stay_rows_and_show_their_cells(tmp_path: Path) -> None:
    names = placed_lines(60, 700, ["Country", "Austria", "Belgium", "Denmark"])
    people = placed_lines(200, 700, ["Inhabitants", "8.9", "11.5", "5.8"])
    capitals = placed_lines(320, 700, ["Capital", "Vienna", "Brussels", "Copenhagen"])
    rows = [
        "Country | Inhabitants | Capital",
        "Austria | 8.9 | Vienna",
        "Belgium | 11.5 | Brussels",
        "Denmark | 5.8 | Copenhagen",
    ]
    assert text_of(tmp_path, side_by_side(names, people, capitals)) == "\n".join(rows)


def test_cells_of_several_lines_are_read_as_rows(tmp_path: Path) -> None:
    left = [LEFT[:3], LEFT[3:], MIDDLE[:3]]
    right = [RIGHT[:2], RIGHT[2:], MIDDLE[3:]]
    page: list[Placed] = []
    for number, (one, two) in enumerate(zip(left, right, strict=True)):
        y = 700 - 50 * number
        page += side_by_side(placed_lines(60, y, one), placed_lines(320, y, two))
    rows = [f"{' '.join(one)} | {' '.join(two)}" for one, two in zip(left, right, strict=True)]
    assert text_of(tmp_path, page) == "\n".join(rows)


SAFETY = ["• Wash hands", "• Wear goggles", "• Check the oil", "• Lock the gate"]
DUTIES = ["• Close the valve", "• Drain the tank", "• Call Ada", "• Write it down"]


def test_columns_of_short_list_items_are_read_one_after_the_other(tmp_path: Path) -> None:
    columns = side_by_side(placed_lines(60, 700, ["Safety", *SAFETY]), placed_lines(320, 700, ["Duties", *DUTIES]))
    assert text_of(tmp_path, columns) == "\n".join(["Safety", *SAFETY, "Duties", *DUTIES])


def test_bullets_with_space_after_them(tmp_path: Path) -> None:
    page: list[Placed] = []
    for number, items in enumerate(zip(SAFETY, DUTIES, strict=True)):
        for x, item in zip((60, 320), items, strict=True):
            page += [Placed(x, 700 - 12 * number, "•"), Placed(x + 18, 700 - 12 * number, item[2:])]
    assert text_of(tmp_path, page) == "\n".join(SAFETY + DUTIES)


def test_a_list_beside_running_text(tmp_path: Path) -> None:
    on_the_left = side_by_side(placed_lines(60, 700, [*SAFETY, "• Rest"]), placed_lines(320, 700, RIGHT))
    assert text_of(tmp_path, on_the_left) == "\n".join([*SAFETY, "• Rest", *RIGHT])
    on_the_right = side_by_side(placed_lines(60, 700, LEFT), placed_lines(320, 700, DUTIES))
    assert text_of(tmp_path, on_the_right) == "\n".join(LEFT + DUTIES)


def test_numbers_tell_whether_a_list_goes_down_or_across(tmp_path: Path) -> None:
    items = [f"{number}. {item[2:]}" for number, item in enumerate(SAFETY + DUTIES, 1)]
    down = side_by_side(placed_lines(60, 700, items[:4]), placed_lines(320, 700, items[4:]))
    assert text_of(tmp_path, down) == "\n".join(items)
    across = side_by_side(placed_lines(60, 700, items[::2]), placed_lines(320, 700, items[1::2]))
    assert text_of(tmp_path, across).replace(" | ", "\n") == "\n".join(items)


def test_an_index_is_read_in_alphabetical_order(tmp_path: Path) -> None:
    words = ["Alarm", "Battery", "Cable", "Drain", "Earth", "Filter", "Gate", "Hose", "Inlet", "Jack"]
    pages = ["12", "3", "14", "15", "9", "2", "6", "5", "3", "5"]
    columns = [placed_lines(x, 700, part) for x, part in ((60, words[:5]), (180, pages[:5]))]
    columns += [placed_lines(x, 700, part) for x, part in ((320, words[5:]), (440, pages[5:]))]
    entries = [f"{word} | {page}" for word, page in zip(words, pages, strict=True)]
    assert text_of(tmp_path, side_by_side(*columns)) == "\n".join(entries)


def test_labels_at_different_heights_are_no_rows(tmp_path: Path) -> None:
    left, right = ["Pumps", "Valves", "Gauges", "Tanks"], ["Soup", "Bread", "Coffee", "Tea"]
    columns = side_by_side(placed_lines(60, 700, left), placed_lines(320, 695, right))
    assert text_of(tmp_path, columns) == "\n".join(left + right)
    rows = side_by_side(placed_lines(60, 700, left), placed_lines(320, 700, right, size=9))
    assert text_of(tmp_path, rows) == "\n".join(f"{one} | {two}" for one, two in zip(left, right, strict=True))


def test_columns_of_chinese_are_read_one_after_the_other_and_joined(tmp_path: Path) -> None:
    left = ["我们负责设计和监测工作的全部内", "容以及数据分析，并且在每个月的", "最后一天提交报告。"]
    right = ["食堂在星期一和星期三供应汤，在", "其他日子供应面条。咖啡对夜班的", "工人免费。"]
    columns = side_by_side(placed_lines(60, 700, left), placed_lines(320, 700, right))
    assert text_of(tmp_path, columns) == f"{''.join(left)}\n{''.join(right)}"


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_table_on_a_page_that_is_shown_rotated(rotation: int, tmp_path: Path) -> None:
    names = placed_lines(60, 500, ["Austria", "Belgium", "Denmark"])
    people = placed_lines(200, 500, ["8.9", "11.5", "5.8"])
    content = placed_pdf([side_by_side(names, people)], rotation=rotation)
    assert read_content(tmp_path, content, "a.pdf").text == "Austria | 8.9\nBelgium | 11.5\nDenmark | 5.8"


def test_cells_of_several_words_are_not_columns(tmp_path: Path) -> None:
    risks = ["Loss of data", "Theft of a notebook in the train", "Fire", "Failure of the power supply"]
    plans = ["Daily copies in another building", "Encrypted disks", "Sprinklers in each hall", "Batteries for one hour"]
    table = side_by_side(placed_lines(60, 700, risks), placed_lines(320, 700, plans))
    assert text_of(tmp_path, table) == "\n".join(f"{risk} | {plan}" for risk, plan in zip(risks, plans, strict=True))


def test_amounts_and_list_marks_are_no_cells(tmp_path: Path) -> None:
    names = placed_lines(60, 700, ["Sales", "Costs", "Tax"])
    currency = placed_lines(200, 700, ["$", "$", "$"])
    amounts = placed_lines(240, 700, ["81,797", "(4,000)", "12"])
    share = placed_lines(320, 700, ["100", "5", "1"])
    percent = placed_lines(350, 700, ["%", "%", "%"])
    listed = side_by_side(placed_lines(60, 500, ["1.", "2.", "3."]), placed_lines(90, 500, ["One", "Two", "Three"]))
    text = text_of(tmp_path, side_by_side(names, currency, amounts, share, percent) + listed)
    assert text == "Sales | $ 81,797 | 100 %\nCosts | $ (4,000) | 5 %\nTax | $ 12 | 1 %\n1. One\n2. Two\n3. Three"


def test_currencies_after_amounts(tmp_path: Path) -> None:
    names = placed_lines(60, 700, ["Sales", "Costs", "Tax"])
    amounts = (placed_lines(x, 700, ["1.234,00 $", "500,00 $", "12,00 $"]) for x in (200, 320))
    text = text_of(tmp_path, side_by_side(names, *amounts))
    assert text == "Sales | 1.234,00 $ | 1.234,00 $\nCosts | 500,00 $ | 500,00 $\nTax | 12,00 $ | 12,00 $"


def test_justified_lines_and_numbered_headings_are_no_table_rows(tmp_path: Path) -> None:
    words = [Placed(60 + 50 * number, 700, "wide") for number in range(5)]
    numbers, titles = placed_lines(60, 688, ["2.1", "2.2", "2.3"]), placed_lines(110, 688, ["Name", "Type", "Size"])
    names, types = placed_lines(60, 652, ["x", "y", "z"]), placed_lines(110, 652, ["int", "str", "int"])
    text = text_of(tmp_path, words + side_by_side(numbers, titles) + side_by_side(names, types))
    assert text == "wide wide wide wide wide\n2.1 Name\n2.2 Type\n2.3 Size\nx | int\ny | str\nz | int"


def test_superscripts_and_subscripts(tmp_path: Path) -> None:
    page = [
        Placed(60, 700, "It is 10"),
        Placed(89.5, 704, "6", 6),
        Placed(60, 680, "Much CO"),
        Placed(102.3, 678, "2", 6),
        Placed(60, 660, "Sales of the year"),
        Placed(135.1, 664, "3", 6),
    ]
    assert text_of(tmp_path, page) == "It is 10^6\nMuch CO2\nSales of the year (3)"


def test_a_line_goes_on_after_a_superscript(tmp_path: Path) -> None:
    """PDFium begins a new line after some superscripts."""
    page = [
        Placed(60, 700, "Area (in km"),
        Placed(111.1, 703.6, "2", 7),
        Placed(115, 700, ") by state"),
        Placed(300, 700, "Share"),
    ]
    assert text_of(tmp_path, page) == "Area (in km^2) by state Share"


@pytest.mark.parametrize("page_number", ["Page {}", "{}", "- {} -", "{} / 4", "ACME manual for pumps {}"])
def test_headers_and_footers_are_kept_once_and_page_numbers_dropped(page_number: str, tmp_path: Path) -> None:
    bodies = ["one\nand more", "two", "three\nIt is short", "four"]
    pages = [
        [
            Placed(60, 760, "ACME - internal"),
            *placed_lines(60, 700, [f"This is text {line}" for line in body.split("\n")]),
            Placed(300, 30, page_number.format(number)),
        ]
        for number, body in enumerate(bodies, 7)
    ]
    extract = read_content(tmp_path, placed_pdf(pages), "a.pdf")
    kept = "\nACME manual for pumps 7" if page_number.startswith("ACME") else ""
    assert extract.text == (
        f"ACME - internal\nThis is text one\nThis is text and more{kept}\n\nThis is text two\n\n"
        "This is text three\nThis is text It is short\n\nThis is text four"
    )
    assert [page.number for page in extract.pages] == [1, 2, 3, 4]


def test_headers_of_odd_and_even_pages(tmp_path: Path) -> None:
    pages = [
        [Placed(60, 760, "The book" if number % 2 else "The chapter"), Placed(60, 700, f"Text {chr(96 + number)}.")]
        for number in range(1, 9)
    ]
    text = text_of(tmp_path, *pages)
    assert (text.count("The book"), text.count("The chapter"), text.count("Text")) == (1, 1, 8)


def test_a_header_below_a_chapter_title_and_roman_numbers(tmp_path: Path) -> None:
    chapters = ["One", "Two", "Two", "Three"]
    pages = [
        [
            Placed(60, 760, f"Chapter {chapter}"),
            Placed(500, 760, ["i", "ii", "iii", "iv"][index]),
            Placed(60, 748, "ACME report"),
            Placed(60, 500, f"Text {'abcd'[index]}"),
        ]
        for index, chapter in enumerate(chapters)
    ]
    assert text_of(tmp_path, *pages) == (
        "Chapter One\nACME report\nText a\n\nChapter Two\nText b\n\nChapter Two\nText c\n\nChapter Three\nText d"
    )


def test_what_stands_once_or_elsewhere_is_kept(tmp_path: Path) -> None:
    """Titles that count, labels, lines at other heights or below other text, and documents of two pages."""
    steps = [[Placed(60, 700, f"Step {number}"), Placed(60, 660, f"Do {chr(96 + number)}.")] for number in (1, 2, 3)]
    assert text_of(tmp_path, *steps) == "Step 1\nDo a.\n\nStep 2\nDo b.\n\nStep 3\nDo c."
    labels = [[Placed(60, 600, "Customer"), Placed(60, 580, f"Name {letter}")] for letter in "abcd"]
    assert text_of(tmp_path, *labels).count("Customer") == 4
    moved = [[Placed(60, 700 - 90 * number, "Total"), Placed(60, 90, f"Sum {chr(96 + number)}")] for number in range(3)]
    assert text_of(tmp_path, *moved).count("Total") == 3
    below = [[Placed(60, 700, f"Part {letter}"), Placed(60, 680, "In millions")] for letter in "abcd"]
    below = [[*page, *placed_lines(60, 600, [f"{page[0].text} line {letter}" for letter in "vwxyz"])] for page in below]
    assert text_of(tmp_path, *below).count("In millions") == 4
    assert text_of(tmp_path, *[[Placed(60, 760, "Header"), Placed(60, 700, "Text")]] * 2).count("Header") == 2


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["我们负责设计和监测工作的全部内容以及数", "据分析。"], "我们负责设计和监测工作的全部内容以及数据分析。"),
        (["目录", "我们负责设计和监测工作的全部内容以及数"], "目录\n我们负责设计和监测工作的全部内容以及数"),
        (["한국어는 단어 사이에 공백이 있는 언어", "이므로"], "한국어는 단어 사이에 공백이 있는 언어\n이므로"),
    ],
)
def test_lines_of_chinese_are_joined_and_those_of_korean_are_not(lines: list[str], text: str, tmp_path: Path) -> None:
    assert text_of(tmp_path, placed_lines(60, 700, lines)) == text


def test_a_new_paragraph_in_chinese(tmp_path: Path) -> None:
    first, second = "我们负责设计和监测工作的全部内容以及数据。", "第二段也是关于设计和监测工作的全部内容。"
    page = [Placed(60, 700, first), Placed(80, 688, second), *placed_lines(60, 676, ["又一行。"])]
    assert text_of(tmp_path, page) == f"{first}\n{second}又一行。"


@pytest.mark.long
def test_a_page_with_very_many_words_is_read_in_time(tmp_path: Path) -> None:
    rows = [Placed(40 + 50 * (n % 10), 780 - 0.25 * (n // 10), f"a{n}", 2) for n in range(30_000)]
    assert text_of(tmp_path, rows).count("a") == 30_000


def test_hyphens_at_a_line_end(tmp_path: Path) -> None:
    lines = [
        "A state-of-",
        "the-art use of n-",
        "tridecanal against COVID-",
        "19, for exam-",
        "ple at 12-",
        "14 degrees.",
    ]
    text = read_content(tmp_path, pdf(["\n".join(lines)]), "a.pdf").text
    assert text == "A state-of-the-art use of n-tridecanal against COVID-19, for example at 12-14 degrees."


CELLS = [
    (["Leak at the hot", f"flange {n}"], ["Burns of the skin"], ["Close the valve", "and call", f"extension {400 + n}"])
    for n in range(4)
]


def cell_by_cell(rows: Sequence[Sequence[Sequence[str]]]) -> list[Placed]:
    return [
        placed
        for number, row in enumerate(rows)
        for column, cell in enumerate(row)
        for placed in placed_lines(60 + 150 * column, 680 - 45 * number, cell)
    ]


def test_cells_that_are_drawn_one_after_the_other_are_read_as_rows(tmp_path: Path) -> None:
    names = [Placed(60 + 150 * column, 700, name) for column, name in enumerate(("Hazard", "Effect", "Measure"))]
    lines = text_of(tmp_path, names + cell_by_cell(CELLS)).split("\n")
    assert lines[0] == "Hazard | Effect | Measure"
    assert lines[3] == "Leak at the hot flange 2 | Burns of the skin | Close the valve and call extension 402"
    assert len(lines) == 5


def test_items_of_several_lines_are_no_table(tmp_path: Path) -> None:
    items = [([f"({n})"], ["An item that goes on in", "the next line."]) for n in range(1, 5)]
    text = text_of(tmp_path, cell_by_cell(items))
    assert "|" not in text
    assert text.startswith("(1) An item that goes on in\nthe next line.\n(2)")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a mixture of 2,4-", "dichlorophenol"], "a mixture of 2,4-dichlorophenol"),
        (["for the next 10 -", "and more"], "for the next 10 -\nand more"),
        (["the plan and the long-", "term costs of the site in the north"], "the plan and the long-term"),
    ],
)
def test_hyphens_after_numbers_and_within_compounds(lines: list[str], text: str, tmp_path: Path) -> None:
    assert text_of(tmp_path, placed_lines(60, 700, lines)).startswith(text)
