"""What clients read of a hit."""

from __future__ import annotations

from rag.http.bodies.hits import hit_from_wire, hit_to_wire
from rag.http.bodies.wire import HitOut
from rag.http.v1.documents.objects.search_result import result_object
from rag.http.v1.responses.output.objects import result
from rag.types import Hit, PageStart, TextRun
from rag.types.places import packed
from tests.support.builders import a_chunk

HIT = Hit(
    a_chunk(
        "| PX-2 | 400 |",
        header="| Part | Voltage |\n|---|---|",
        page=4,
        pages=(PageStart(0, 4), PageStart(9, 5)),
        places=packed([TextRun(0, 8, 4, 60, 700.5, 90, 710), TextRun(9, 14, 5, 60, 90, 99.9, 100)], 0),
    ),
    0.5,
)


def test_all_forms_of_a_hit_have_its_header_and_its_pages() -> None:
    for form in (hit_to_wire(HIT), result_object(HIT).model_dump(), result(HIT).model_dump()):
        assert (form["header"], form["page"], form["pages"]) == (HIT.chunk.header, 4, [4, 5])


def test_all_forms_of_a_hit_have_its_rectangles() -> None:
    first = {"page": 4, "x0": 60, "y0": 700.5, "x1": 90, "y1": 710}
    second = {"page": 5, "x0": 60, "y0": 90, "x1": 99.9, "y1": 100}
    for form in (hit_to_wire(HIT), result_object(HIT).model_dump(), result(HIT).model_dump()):
        assert form["rectangles"] == [first, second]


def test_what_clients_read_is_the_same_after_a_call_between_services() -> None:
    assert hit_to_wire(hit_from_wire(hit_to_wire(HIT))) == hit_to_wire(HIT)


def test_the_published_form_describes_all_fields() -> None:
    assert HitOut.model_validate(hit_to_wire(HIT)).model_dump() == hit_to_wire(HIT)
