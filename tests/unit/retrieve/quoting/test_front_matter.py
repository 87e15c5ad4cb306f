"""Front matter is quoted only if the question asks for what it says."""

from __future__ import annotations

import pytest

from rag.retrieve.quoting.front_matter import can_answer
from rag.retrieve.quoting.splitting import units_of
from rag.retrieve.quoting.window import TextWindow

TEXT = (
    "title: Vacation policy\nauthor: Jana Kowalski\nlast_reviewed: 2026-02-14\ntags: vacation, policy\n\n"
    "# Vacation\n\nEverybody has 30 days of vacation a year."
)
REST = "Everybody has 30 days of vacation a year."


def window(text: str, start: int = 0) -> TextWindow:
    return TextWindow(text, start, (start, start + len(text)), starts_document=True, ends_document=True)


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        ("How many days of vacation are there?", ["author", "last_reviewed"]),
        ("Who is the author of the vacation policy?", ["author", "last_reviewed"]),
        ("When was the policy reviewed?", ["author", "last_reviewed"]),
        ("What is the title of Jana Kowalski's text?", ["title", "last_reviewed"]),
        ("Which tags does it have?", ["author", "last_reviewed", "tags"]),
    ],
)
def test_lines_that_may_answer_a_question(question: str, lines: list[str]) -> None:
    units = [unit for unit in units_of(window(TEXT), "", "a.md") if unit.kind == "field"]
    assert [TEXT[unit.start : unit.end] for unit in units] == TEXT.split("\n")[:4]
    assert [unit.text.partition(":")[0] for unit in units if can_answer(unit, question)] == lines


def test_the_text_below_front_matter_is_split_as_ever() -> None:
    assert [unit.text for unit in units_of(window(TEXT), "", "a.md")][4:] == [REST]


@pytest.mark.parametrize(
    ("text", "start", "filename"),
    [
        (TEXT, 0, "a.txt"),
        (TEXT, 100, "a.md"),
        ("Note: this is a sentence.\n\nMore of it.", 0, "a.md"),
        (REST, 0, "a.md"),
    ],
)
def test_other_text_has_no_front_matter(text: str, start: int, filename: str) -> None:
    assert not any(unit.kind == "field" for unit in units_of(window(text, start), "", filename))
