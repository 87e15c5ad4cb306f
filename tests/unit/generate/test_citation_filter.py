"""The marks of an answer, checked while it is being written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.generate.citation_filter import CitationFilter
from rag.generate.citations import Citation
from rag.types import Hit
from tests.support.builders import a_chunk

HITS = tuple(Hit(a_chunk(f"text {i}", filename=f"{i}.md"), 1 - i / 10) for i in range(1, 4))
"""Three sources."""
Texts = st.text(alphabet="[]1239, a`\n(.")
Pieces = st.lists(st.text(alphabet="[]1239, a`\n(.", max_size=6))


def filtered(*pieces: str) -> tuple[str, list[Citation], int]:
    """What was sent, its citations, and how many numbers were left out."""
    marks = CitationFilter(HITS)
    sent = "".join([*(marks.feed(piece) for piece in pieces), marks.close()])
    return sent, marks.citations, marks.removed


def cited(text: str) -> list[tuple[int, int, int]]:
    return [(citation.index, citation.start, citation.end) for citation in filtered(text)[1]]


def test_a_mark_is_cited_where_it_stands() -> None:
    text, citations, removed = filtered("Yes [2]. No [1][3].")
    assert (text, removed) == ("Yes [2]. No [1][3].", 0)
    assert [(c.index, c.file_id, text[c.start : c.end]) for c in citations] == [
        (2, HITS[1].chunk.file_id, "[2]"), (1, HITS[0].chunk.file_id, "[1]"), (3, HITS[2].chunk.file_id, "[3]"),
    ]  # fmt: skip


@pytest.mark.parametrize("mark", ["[1, 3]", "[1,3]"])
def test_a_mark_of_several_sources_cites_each(mark: str) -> None:
    assert cited(f"So {mark}.") == [(1, 3, 3 + len(mark)), (3, 3, 3 + len(mark))]


def test_a_source_is_cited_once_a_mark() -> None:
    assert cited("[2, 2]") == [(2, 0, 6)]


@pytest.mark.parametrize(
    ("written", "sent", "removed"),
    [
        ("One [4] two", "One two", 1),
        ("One [4].", "One.", 1),
        ("One [4]", "One", 1),
        ("One[4]two", "Onetwo", 1),
        ("One [4]two", "One two", 1),
        ("[4] One", "One", 1),
        ("One.\n[4] Two.\n- [5] Three [6]\n", "One.\nTwo.\n- Three\n", 3),
        ("One [8] [9] two", "One two", 2),
        ("One [8][9].", "One.", 2),
        ("One [8, 9].", "One.", 2),
        ("One [1, 9].", "One [1].", 1),
        ("One [9, 2,3].", "One [2, 3].", 1),
        ("One [1][9] [2].", "One [1] [2].", 1),
        ("One [999] two", "One two", 1),
    ],
)
def test_a_mark_that_names_no_source_is_left_out_with_its_blank(written: str, sent: str, removed: int) -> None:
    assert filtered(written)[::2] == (sent, removed)


@pytest.mark.parametrize(
    "text",
    [
        "", "no mark", "[0]", "[2024]", "[01]", "[x]", "[-1]", "[ 1 ]", "[1 ]", "[1-3]", "[^1]", "[", "1]", "[]", "[1",
        "a  b ", "[1,\n2]", "[note 1]", "【1】", "[1](https://a.b/c)", "see [9](x)", "`a[9]`", "`a[1]`",
        "``a[9] ` [9]``", "```\na[9] = b[1]\n```", "```python\nx[7]\n", "  ```\nx[7]",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_mark_is_text(text: str) -> None:
    assert filtered(text) == (text, [], 0)


@pytest.mark.parametrize("code", ["`a[9]`", "```\na[9]\n```\n", "`not closed [9]\n"])
def test_after_code_marks_are_marks_again(code: str) -> None:
    assert filtered(f"{code} b [9] [1]")[0] == f"{code} b [1]"


def test_a_mark_that_grows_out_of_another_is_one() -> None:
    assert filtered("[[9]1] [[9]8] [1[9]]")[::2] == ("[1] [ [1]", 4)


@pytest.mark.parametrize(
    ("piece", "sent"),
    [("So ", "So"), ("So [", "So"), ("So [1", "So"), ("So [1]", "So [1]"), ("So [9]", "So"), ("So [1,", "So"),
     ("So [x", "So [x"), ("So [1234", "So [1234"), ("`a[1", "`a[1"), ("So.", "So.")],
)  # fmt: skip
def test_only_what_may_become_a_mark_is_held_back(piece: str, sent: str) -> None:
    assert CitationFilter(HITS).feed(piece) == sent


def test_nothing_is_held_back_for_ever() -> None:
    marks = CitationFilter(HITS)
    assert marks.feed("[1," * 1000 + "[" * 1000)[-2:] == "[["
    assert marks.close() == "["


@settings(max_examples=500, deadline=None)
@given(Pieces)
def test_it_is_the_same_text_however_it_is_cut(pieces: list[str]) -> None:
    whole = "".join(pieces)
    assert filtered(*pieces) == filtered(whole) == filtered(*whole)


@settings(max_examples=500, deadline=None)
@given(Texts)
def test_what_was_sent_has_nothing_left_to_remove(text: str) -> None:
    sent, citations, _ = filtered(text)
    assert filtered(sent) == (sent, citations, 0)
    for citation in citations:
        mark = sent[citation.start : citation.end]
        assert re.fullmatch(r"\[[\d, ]+\]", mark)
        assert str(citation.index) in re.findall(r"\d+", mark)


@settings(max_examples=300, deadline=None)
@given(Texts)
def test_nothing_but_marks_and_blanks_is_lost(text: str) -> None:
    sent, _, removed = filtered(text)
    if not removed:
        assert sent == text
    assert "".join(re.findall(r"[a`(.\n]", sent)) == "".join(re.findall(r"[a`(.\n]", text))
