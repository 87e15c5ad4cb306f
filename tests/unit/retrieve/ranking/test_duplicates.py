"""Duplicate passages become one hit."""

from __future__ import annotations

import pytest

from rag.retrieve.ranking.duplicates import deduplicate, with_context
from rag.types import Chunk, Hit
from tests.support.builders import a_chunk

TEXT = (
    "A collection is loaded into memory before it can be searched, which takes a moment for a large one. Its segments "
    "are sealed when they are full, and an index is built for each of them in the background; until that is done they "
    "are scanned. Releasing it gives the memory back, and nothing is lost by that: it can be loaded again whenever "
    "somebody asks for it, on this node or on any other."
)


def hits(*chunks: Chunk) -> list[Hit]:
    return [Hit(chunk, 1 - place / 100) for place, chunk in enumerate(chunks)]


def texts(found: list[Hit]) -> list[str]:
    return [hit.chunk.text for hit in found]


def kept(*chunks: Chunk, likeness: float = 0.9, max_hits: int = 100) -> list[Hit]:
    return deduplicate(hits(*chunks), likeness, max_hits=max_hits)


def test_the_best_duplicate_stays_and_lists_the_others() -> None:
    first, other, same = (a_chunk(text, filename=text) for text in ("a b c", "x y z", "A  b, c"))
    found = kept(first, other, same, likeness=1)
    assert texts(found) == ["a b c", "x y z"]
    assert [hit.duplicates for hit in found] == [(same.chunk_id,), ()]


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (TEXT.replace("large", "big", 1), True),
        (TEXT.replace("when", "once").replace("node", "machine").replace("moment", "while"), False),
        (TEXT.upper().replace(" ", "\n"), True),
        (TEXT[: len(TEXT) // 2], False),
        (TEXT + " Amen.", True),
        ("Something else altogether.", False),
        ("", False),
    ],
)
def test_similarity_is_the_jaccard_index_of_three_word_shingles(other: str, alike: bool) -> None:
    assert len(kept(a_chunk(TEXT, filename="1"), a_chunk(other, filename="2"))) == (1 if alike else 2)


STATION = (
    "The pump station is checked once a week by two people. They close the inlet valve, wait for the gauge to fall, "
    "open the drain, and look at the seals. Worn seals are replaced at once and noted in the log. {} After the check "
    "the inlet valve is opened slowly and the gauge is read again after five minutes; if it has fallen the check is "
    "repeated and the plant office is called before anything else is done at the station."
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("minimum temperature -40 degrees", "minimum temperature +40 degrees"),
        ("at 40 degrees", "at −40 degrees"),
        ("The valve opens at 6 bar.", "The valve opens at 9 bar."),
        ("The valve opens at 6 bar.", "The valve opens at 6 psi."),
        ("from 6 to 9 bar", "from 9 to 6 bar"),
        ("C++ bindings", "C# bindings"),
        ("C bindings", "C++ bindings"),
        ("the .NET runtime", "the net runtime"),
        ("version 4.1.7", "version 4.1.9"),
        ("a file of 5 MB", "a file of 5 Mb"),
        ("The pump is on.", "The pump is off."),
        ("Close it before the start.", "Close it after the start."),
        ("Der Zugang ist erlaubt.", "Der Zugang ist verboten."),
        ("part QX-7731-B", "part QX-7731-C"),
        ("It is not safe.", "It is safe."),
        ("It isn't safe.", "It is safe."),
        ("It is unsafe.", "It is safe."),
        ("mit Strom", "ohne Strom"),
        ("猫在家", "猫不在家"),
        ("p < 0.05", "p > 0.05"),
        ("it costs $5", "it costs €5"),
        ("40 °C", "40 °F"),
        ("Ask Anna for it.", "Ask Berta for it."),
        ("Milvus stores it.", "Qdrant stores it."),
        ("Anna calls Berta.", "Berta calls Anna."),
        ("the IT office", "the office"),
    ],
)
def test_texts_that_differ_in_a_fact_are_not_duplicates(one: str, other: str) -> None:
    for form in ("{}", STATION):
        pair = [a_chunk(form.replace("{}", text), filename=text) for text in (one, other)]
        for chunks in (pair, pair[::-1]):
            assert len(kept(*chunks, likeness=0)) == len(chunks), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("**The** `valve` opens.", "The valve opens."),
        ("\n> - The valve opens.", "The valve opens."),
        ("The valve\n=========\n", "The valve"),
        ("it’s at −40 well-known", "it's at -40 well known"),
    ],
)
def test_texts_that_differ_in_formatting_are_duplicates(one: str, other: str) -> None:
    assert len(kept(*(a_chunk(STATION.replace("{}", text), filename=text) for text in (one, other)))) == 1


def test_threshold_1_needs_equal_words_and_0_any_common_shingle() -> None:
    one, other = a_chunk(TEXT, filename="1"), a_chunk(TEXT.replace("large", "big"), filename="2")
    assert len(kept(one, other, likeness=1)) == 2
    assert len(kept(one, other, a_chunk("no word of it", filename="3"), likeness=0)) == 2


def test_max_hits_counts_distinct_hits() -> None:
    chunks = [a_chunk(text, filename=str(n)) for n, text in enumerate(["a", "a", "b", "c", "a"])]
    found = kept(*chunks, max_hits=2)
    assert texts(found) == ["a", "b"]
    assert found[0].duplicates == (chunks[1].chunk_id, chunks[4].chunk_id)


def test_passages_of_one_larger_text_are_duplicates_only_within_a_version() -> None:
    parent = "first sentence. second sentence."
    parts = [a_chunk(text, ordinal=n, context=parent) for n, text in enumerate(["second sentence.", "first sentence."])]
    whole = a_chunk(parent, ordinal=9)
    elsewhere = a_chunk("first sentence.", filename="b", context=parent)
    found = kept(*parts, whole, elsewhere, likeness=1)
    assert texts(found) == ["second sentence.", "first sentence."]
    assert found[0].duplicates == (parts[1].chunk_id, whole.chunk_id)


def test_a_passage_is_replaced_by_its_larger_text() -> None:
    document = "Intro. First sentence. Second sentence. End."
    parent = "First sentence. Second sentence."
    start = document.index("Second")
    part = a_chunk("Second sentence.", start=start, end=start + 16, context=parent)
    (hit,) = hits(part)
    shown = with_context(hit).chunk
    assert (shown.text, shown.context, shown.chunk_id) == (parent, "", part.chunk_id)
    assert document[shown.start : shown.end] == parent


def test_a_larger_text_that_does_not_contain_the_passage_gets_its_offsets() -> None:
    source = "Milvus listens on port 19530."
    pair = a_chunk("Which port?\n19530.", start=40, end=40 + len(source), context=source)
    shown = with_context(hits(pair)[0]).chunk
    assert (shown.text, shown.start, shown.end) == (source, 40, 40 + len(source))


def test_it_can_stop_at_the_last_returned_hit() -> None:
    first, other, same = (a_chunk(text, filename=text) for text in ("a b c", "x y z", "A  b, c"))
    stopped = deduplicate(hits(first, other, same), 1, max_hits=2, all_duplicates=False)
    assert (texts(stopped), [hit.duplicates for hit in stopped]) == (["a b c", "x y z"], [(), ()])
    between = deduplicate(hits(first, same, other), 1, max_hits=2, all_duplicates=False)
    assert (texts(between), between[0].duplicates) == (["a b c", "x y z"], (same.chunk_id,))


def test_the_same_row_below_other_column_names_says_something_else() -> None:
    row = "| Graz | 412 | 388 | 275 | 301 |"
    tables = [
        a_chunk(row, filename=f"{name}.md", header=f"| Plant | {name} | b | c | d |") for name in ("Tonnes", "Euro")
    ]
    assert len(kept(*tables)) == 2
    assert len(kept(a_chunk(row, filename="a.md"), a_chunk(row, filename="b.md"))) == 1
