"""Checking the citation marks of an answer while it is streamed."""

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
TEXTS = st.text(alphabet="[]1239, a`\n(.")
CHUNKS = st.lists(st.text(alphabet="[]1239, a`\n(.", max_size=6))


def filter_text(*chunks: str) -> tuple[str, list[Citation], int]:
    """The text that was sent, its citations, and how many numbers were removed."""
    citation_filter = CitationFilter(HITS)
    sent = "".join([*(citation_filter.feed(chunk) for chunk in chunks), citation_filter.close()])
    return sent, citation_filter.citations, citation_filter.removed


def citations_in(text: str) -> list[tuple[int, int, int]]:
    return [(citation.index, citation.start, citation.end) for citation in filter_text(text)[1]]


def test_a_citation_has_the_position_of_its_mark() -> None:
    text, citations, removed = filter_text("Yes [2]. No [1][3].")
    assert (text, removed) == ("Yes [2]. No [1][3].", 0)
    assert [(c.index, c.file_id, text[c.start : c.end]) for c in citations] == [
        (2, HITS[1].chunk.file_id, "[2]"), (1, HITS[0].chunk.file_id, "[1]"), (3, HITS[2].chunk.file_id, "[3]"),
    ]  # fmt: skip


@pytest.mark.parametrize("mark", ["[1, 3]", "[1,3]"])
def test_a_mark_with_several_numbers_cites_every_source(mark: str) -> None:
    assert citations_in(f"So {mark}.") == [(1, 3, 3 + len(mark)), (3, 3, 3 + len(mark))]


def test_a_mark_cites_a_repeated_number_once() -> None:
    assert citations_in("[2, 2]") == [(2, 0, 6)]


@pytest.mark.parametrize(
    ("text", "sent", "removed"),
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
def test_an_invalid_number_is_removed_with_its_space(text: str, sent: str, removed: int) -> None:
    assert filter_text(text)[::2] == (sent, removed)


@pytest.mark.parametrize(
    "text",
    [
        "", "no mark", "[0]", "[2024]", "[01]", "[x]", "[-1]", "[ 1 ]", "[1 ]", "[1-3]", "[^1]", "[", "1]", "[]", "[1",
        "a  b ", "[1,\n2]", "[note 1]", "【1】", "[1](https://a.b/c)", "see [9](x)", "`a[9]`", "`a[1]`",
        "``a[9] ` [9]``", "```\na[9] = b[1]\n```", "```python\nx[7]\n", "  ```\nx[7]",
    ],
)  # fmt: skip
def test_text_that_only_resembles_a_mark_is_unchanged(text: str) -> None:
    assert filter_text(text) == (text, [], 0)


@pytest.mark.parametrize("code", ["`a[9]`", "```\na[9]\n```\n", "`not closed [9]\n"])
def test_marks_after_code_are_recognized(code: str) -> None:
    assert filter_text(f"{code} b [9] [1]")[0] == f"{code} b [1]"


def test_a_mark_formed_by_a_removal_is_recognized() -> None:
    assert filter_text("[[9]1] [[9]8] [1[9]]")[::2] == ("[1] [ [1]", 4)


@pytest.mark.parametrize(
    ("chunk", "sent"),
    [("So ", "So"), ("So [", "So"), ("So [1", "So"), ("So [1]", "So [1]"), ("So [9]", "So"), ("So [1,", "So"),
     ("So [x", "So [x"), ("So [1234", "So [1234"), ("`a[1", "`a[1"), ("So.", "So.")],
)  # fmt: skip
def test_only_a_possible_mark_is_buffered(chunk: str, sent: str) -> None:
    assert CitationFilter(HITS).feed(chunk) == sent


def test_the_buffer_is_bounded() -> None:
    citation_filter = CitationFilter(HITS)
    assert citation_filter.feed("[1," * 1000 + "[" * 1000)[-2:] == "[["
    assert citation_filter.close() == "["


@settings(max_examples=500, deadline=None)
@given(CHUNKS)
def test_the_result_does_not_depend_on_the_chunking(chunks: list[str]) -> None:
    full_text = "".join(chunks)
    assert filter_text(*chunks) == filter_text(full_text) == filter_text(*full_text)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_filtering_is_idempotent(text: str) -> None:
    sent, citations, _ = filter_text(text)
    assert filter_text(sent) == (sent, citations, 0)
    for citation in citations:
        mark = sent[citation.start : citation.end]
        assert re.fullmatch(r"\[[\d, ]+\]", mark)
        assert str(citation.index) in re.findall(r"\d+", mark)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_only_marks_and_spaces_are_removed(text: str) -> None:
    sent, _, removed = filter_text(text)
    if not removed:
        assert sent == text
    assert "".join(re.findall(r"[a`(.\n]", sent)) == "".join(re.findall(r"[a`(.\n]", text))
