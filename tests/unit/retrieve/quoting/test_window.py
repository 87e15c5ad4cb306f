from __future__ import annotations

from dataclasses import replace

from rag.retrieve.quoting.splitting import units_of
from rag.retrieve.quoting.window import neighbour_ids, window_of
from rag.types import Hit
from tests.support.builders import a_chunk

TEXT = "Owls hunt at night, when mice are about. Gulls live near the sea."


def hit(start: int, end: int, ordinal: int = 1) -> Hit:
    chunk = replace(a_chunk(TEXT[start:end], ordinal=ordinal), start=start, end=end)
    return Hit(chunk, 1.0)


def test_the_chunks_around_a_hit_complete_its_sentences() -> None:
    before, found, after = hit(0, 24, 0), hit(20, 51), hit(52, len(TEXT), 2)
    neighbours = {each.chunk.chunk_id: each.chunk for each in (before, after)}
    window = window_of(found, neighbours)
    assert window.text.replace("\n", " ") == TEXT
    assert (window.start, window.passage) == (0, (20, 51))
    assert (window.starts_document, window.ends_document) == (True, False)


def test_without_neighbours_the_passage_is_all_there_is() -> None:
    window = window_of(hit(20, 50), {})
    assert (window.text, window.start, window.passage) == (TEXT[20:50], 20, (20, 50))


def test_the_ids_of_neighbours_are_those_of_the_same_version() -> None:
    first = hit(0, 10, 0)
    assert neighbour_ids([first]) == [first.chunk.chunk_id[:-6] + "000001"]
    assert neighbour_ids([hit(5, 20, 1), hit(15, 30, 2)]) == [
        first.chunk.chunk_id[:-6] + f"{n:06d}" for n in (0, 2, 1, 3)
    ]
    assert neighbour_ids([replace(first, chunk=replace(first.chunk, chunk_id="from elsewhere"))]) == []


def test_a_text_that_begins_inside_a_table_is_preceded_by_its_header() -> None:
    header = "| Part | Voltage |\n|---|---|"
    chunk = a_chunk("| PX-2 | 400 |", ordinal=1, start=60, end=74, header=header)
    window = window_of(Hit(chunk, 1.0), {})
    assert window.text == f"{header}\n| PX-2 | 400 |"
    assert window.start + window.text.index("| PX-2") == 60
    before = a_chunk("| PX-1 | 230 |", start=45, end=59)
    window = window_of(Hit(chunk, 1.0), {before.chunk_id: before})
    assert window.text == "| PX-1 | 230 |\n| PX-2 | 400 |"  # the text that is there now begins with the table


def test_an_item_that_was_cut_is_whole() -> None:
    text = "Rules for all who enter:\n- A visitor wears a helmet and\n  a vest at all times.\n- Nobody runs."
    cut = text.index("  a vest") - 1
    first = a_chunk(text[:cut], start=0, end=cut)
    second = a_chunk(text[cut + 3 :], ordinal=1, start=cut + 3, end=len(text), header="Rules for all who enter:")
    neighbours = {first.chunk_id: first, second.chunk_id: second}
    assert [window_of(Hit(chunk, 1.0), neighbours).text for chunk in (first, second)] == [text, text]
    units = units_of(window_of(Hit(first, 1.0), neighbours), "")
    assert [unit.text for unit in units] == ["A visitor wears a helmet and a vest at all times."]


def test_an_item_of_a_list_without_an_introduction_is_whole_too() -> None:
    text = "- The edge uses a result for three seconds. So a key that is revoked stops working\n  within three seconds."
    cut = text.index("  within") - 1
    first = a_chunk(text[:cut], start=0, end=cut)
    second = a_chunk(text[cut + 3 :], ordinal=1, start=cut + 3, end=len(text))
    neighbours = {first.chunk_id: first, second.chunk_id: second}
    for chunk, units in ((first, [text.removeprefix("- ").replace("\n ", "")]), (second, [])):
        window = window_of(Hit(chunk, 1.0), neighbours)
        assert window.text == text
        assert [unit.text for unit in units_of(window, "")] == units


def test_two_paragraphs_stay_two() -> None:
    first = a_chunk("Owls hunt at night.", start=0, end=19)
    second = a_chunk("iPhones do not hunt at all.", ordinal=1, start=21, end=48)
    assert window_of(Hit(second, 1.0), {first.chunk_id: first}).text == f"{first.text}\n\n{second.text}"
