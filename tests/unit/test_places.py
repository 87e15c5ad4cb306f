"""Packing of places, and the rectangles that are made of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.types import Rectangle, TextRun
from rag.types.places import MAX_PACKED_CHARS, packed, rectangles, runs_between, unpacked

COORDINATE = st.integers(0, 20_000).map(lambda tenths: tenths / 10)
RUN = st.tuples(st.integers(0, 9), st.integers(1, 99), st.integers(1, 3), *[COORDINATE] * 4)


@given(st.lists(RUN, max_size=8), st.integers(0, 2**31))
def test_packing_round_trips(places: list[tuple[int, ...]], origin: int) -> None:
    runs, end = [], origin
    for gap, length, page, *box in places:
        runs.append(TextRun(end + gap, end + gap + length, page, *box))
        end += gap + length
    assert unpacked(packed(runs, origin), origin) == runs


def test_the_places_of_a_long_passage_fit_into_a_string_of_milvus() -> None:
    runs = [TextRun(2 * n, 2 * n + 1, 1, 1000.0, 1000.0, 2000.0, 2000.0) for n in range(8_000)]
    stored = packed(runs, 0)
    assert MAX_PACKED_CHARS - 100 < len(stored) < 65_535
    back = unpacked(stored, 0)
    assert back == runs[: len(back)]


def test_lines_become_rectangles() -> None:
    runs = [
        TextRun(0, 4, 1, 60, 100, 100, 110),
        TextRun(5, 9, 1, 200, 101, 240, 111),
        TextRun(10, 14, 1, 60, 112, 100, 122),
        TextRun(15, 19, 2, 60, 112, 100, 122),
    ]
    assert rectangles(runs) == (
        Rectangle(1, 60, 100, 240, 111),
        Rectangle(1, 60, 112, 100, 122),
        Rectangle(2, 60, 112, 100, 122),
    )


def test_a_part_of_a_line_is_estimated_from_where_the_text_begins() -> None:
    english, hebrew = TextRun(10, 20, 1, 100, 0, 200, 10), TextRun(10, 20, 1, 200, 0, 100, 10)
    assert [run.rectangle() for run in runs_between([english], 0, 15)] == [Rectangle(1, 100, 0, 150, 10)]
    assert [run.rectangle() for run in runs_between([hebrew], 0, 15)] == [Rectangle(1, 150, 0, 200, 10)]
    assert runs_between([english], 0, 10) == runs_between([english], 20, 30) == []
