"""The sentence that a citation mark belongs to."""

from __future__ import annotations

import pytest

from rag.generate.citation_filter import CitationFilter
from rag.generate.cited_sentences import cited_sentences
from rag.types import Hit
from tests.support.builders import a_chunk

HITS = tuple(Hit(a_chunk(f"text {i}"), 1.0) for i in range(1, 4))


def sentences(text: str) -> list[str]:
    citation_filter = CitationFilter(HITS)
    sent = citation_filter.feed(text) + citation_filter.close()
    return cited_sentences(sent, citation_filter.citations)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apples are red [1]. Plums are blue [2].", ["Apples are red.", "Plums are blue."]),
        ("Apples are red. [1] Plums are blue. [2]", ["Apples are red.", "Plums are blue."]),
        ("Apples are red.[1] Plums are blue.[2]", ["Apples are red.", "Plums are blue."]),
        ("Apples [1] are red and plums [2] blue.", ["Apples are red and plums blue."] * 2),
        ("Apples are red [1, 3].", ["Apples are red."] * 2),
        ("Apples are red [1][2]", ["Apples are red"] * 2),
        ("[1] Apples are red. Plums are blue.", ["Apples are red."]),
        ("Fruits:\n- [2] Apples.\n- Plums [1]\n", ["- Apples.", "- Plums"]),
        ("[1]", [""]),
    ],
)
def test_a_citation_mark_belongs_to_its_sentence(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
