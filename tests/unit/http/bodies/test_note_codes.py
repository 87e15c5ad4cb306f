"""The codes of notes."""

from __future__ import annotations

from rag.generate.verify import NOT_VERIFIED
from rag.http.bodies.note_codes import note_codes
from rag.retrieve.pipeline import NOT_RERANKED


def test_each_part_of_a_note_has_its_code() -> None:
    note = f"rewriting: timeout; several queries: could not be read; {NOT_RERANKED}; {NOT_VERIFIED}"
    assert note_codes(note) == ["rewriting.timeout", "queries.unreadable", "not_reranked", "not_verified"]


def test_a_part_without_a_code_keeps_the_place_of_the_others() -> None:
    assert note_codes(f"something else; {NOT_RERANKED}") == ["", "not_reranked"]


def test_no_note_has_no_codes() -> None:
    assert note_codes("") == []
