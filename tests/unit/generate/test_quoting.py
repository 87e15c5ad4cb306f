from __future__ import annotations

import pytest

from rag.errors import InvalidRequest
from rag.generate.citations import Citation, QuotedRange
from rag.generate.quoting import StyleOption, quote_citations, quoting_parameters, resolve_style
from rag.types import Hit, Quotation, Quote, Rectangle
from tests.support.builders import a_chunk

SOURCES = (Hit(a_chunk("Owls hunt."), 1.0), Hit(a_chunk("Gulls eat.", filename="b.md"), 0.5))
OWLS = Quote("Owls hunt.", "Owls hunt. [1]", 1, 100, 110, 7, (Rectangle(7, 60, 90, 99, 100),))
GULLS = Quote("Gulls eat.", "Gulls eat. [2]", 2, 0, 10)
EMBEDDED, OTHER = {"embedded": True}, {"context_tokens": 2048}


@pytest.mark.parametrize(
    ("chosen", "facts", "model", "style"),
    [
        ("auto", EMBEDDED, "", "quoted"),
        ("auto", EMBEDDED, "an-adapter", "written"),
        ("auto", OTHER, "", "written"),
        ("quoted", OTHER, "an-adapter", "quoted"),
        ("written", EMBEDDED, "", "written"),
    ],
)
def test_the_style(chosen: StyleOption, facts: dict[str, object], model: str, style: str) -> None:
    assert resolve_style(chosen, {}, model, facts) == style


@pytest.mark.parametrize(
    "sampling", [{"structured_outputs": {"choice": ["a"]}}, {"min_tokens": 5}, {"logit_bias": {"1": 5.0}}]
)
def test_what_constrains_the_text_cannot_be_combined_with_quotes(sampling: dict[str, object]) -> None:
    assert resolve_style("auto", sampling, "", EMBEDDED) == "written"
    (name,) = sampling
    with pytest.raises(InvalidRequest, match=name) as caught:
        resolve_style("quoted", sampling, "", EMBEDDED)
    assert caught.value.param == name


def test_rows_may_repeat_words() -> None:
    quotation = Quotation((OWLS,), {"choice": ["Owls hunt. [1]"]})
    assert quoting_parameters({"max_tokens": 9, "repetition_detection": {"min_count": 4}}, quotation) == {
        "max_tokens": 9,
        "structured_outputs": {"choice": ["Owls hunt. [1]"]},
    }


def test_each_quote_is_cited_with_both_of_its_places() -> None:
    text = "Gulls eat. [2]\nOwls hunt. [1]"
    first, second = quote_citations(text, [OWLS, GULLS], SOURCES)
    quoted = QuotedRange(15, 25, 100, 110, 7, (Rectangle(7, 60, 90, 99, 100),))
    assert second == Citation(1, SOURCES[0].chunk.file_id, 26, 29, score=1.0, quote=quoted)
    assert (text[second.start : second.end], text[15:25]) == ("[1]", "Owls hunt.")
    assert (first.index, first.quote) == (2, QuotedRange(0, 10, 0, 10))


@pytest.mark.parametrize(("text", "count"), [("", 0), ("Owls hunt.", 0), ("Owls hunt. [1] Gulls", 1), ("Else.", 0)])
def test_a_quote_that_was_cut_off_is_not_cited(text: str, count: int) -> None:
    assert len(quote_citations(text, [OWLS, GULLS], SOURCES)) == count


def test_a_quote_that_begins_like_another_is_told_apart() -> None:
    short, long = Quote("Owls", "Owls [1]", 1, 0, 4), Quote("Owls [1] hunt", "Owls [1] hunt [1]", 1, 0, 13)
    (only,) = quote_citations("Owls [1] hunt [1]", [short, long], SOURCES)
    assert only.quote is not None
    assert only.quote.source_end == 13
