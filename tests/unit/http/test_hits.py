"""What clients read of a hit."""

from __future__ import annotations

from rag.http.hits import hit_to_wire
from rag.http.v1.documents.objects.search_result import result_object
from rag.http.v1.responses.objects import result
from rag.http.wire import HitOut
from rag.types import Hit, PageStart
from tests.support.builders import a_chunk

HIT = Hit(
    a_chunk("| PX-2 | 400 |", header="| Part | Voltage |\n|---|---|", page=4, pages=(PageStart(0, 4), PageStart(9, 5))),
    0.5,
)


def test_all_forms_of_a_hit_have_its_header_and_its_pages() -> None:
    for form in (hit_to_wire(HIT), result_object(HIT).model_dump(), result(HIT).model_dump()):
        assert (form["header"], form["page"], form["pages"]) == (HIT.chunk.header, 4, [4, 5])


def test_the_published_form_describes_all_fields() -> None:
    assert HitOut.model_validate(hit_to_wire(HIT)).model_dump() == hit_to_wire(HIT)
