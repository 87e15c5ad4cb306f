from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.errors import DependencyUnavailable, InvalidRequest, RagError
from rag.retrieve.quoting.quoter import MAX_HITS, NOT_SCORED, Quoter, QuoteResult
from rag.types import Hit, PageStart, QuoteChoice, Rectangle, TextRun
from rag.types.places import packed
from tests.fakes import FakeReranker
from tests.support.builders import a_chunk

OWLS = "Owls hunt at night. Their prey are mice and voles. Some owls eat fish."
GULLS = "Gulls live near the sea. Gulls eat fish and bread."
HITS = (
    Hit(a_chunk(OWLS, filename="owls.md"), 1.0, cosine=0.6),
    Hit(a_chunk(GULLS, filename="gulls.md"), 0.5, cosine=0.5),
)
SCORES = {"Owls hunt at night.": 0.9, "Some owls eat fish.": 0.8, "Gulls eat fish and bread.": 0.85}


async def quote(
    scores: dict[str, float], choice: QuoteChoice = "ranking", *, failure: RagError | None = None, minimum: float = 0.0
) -> QuoteResult:
    reranker = FakeReranker()
    reranker.scores, reranker.failure = scores, failure
    quoter = Quoter(reranker, min_confidence=minimum, refusal="nothing")
    return await quoter.quote("When do owls hunt?", HITS, {}, choice)


def texts(result: QuoteResult) -> Sequence[str]:
    assert result.quotation is not None
    return [each.marked for each in result.quotation.quotes]


async def test_the_best_units_are_quoted_in_the_order_of_their_documents() -> None:
    result = await quote(SCORES)
    assert texts(result) == ["Owls hunt at night. [1]", "Some owls eat fish. [1]", "Gulls eat fish and bread. [2]"]
    assert result.quotation is not None
    assert result.quotation.structure == {
        "choice": ["Owls hunt at night. [1] Some owls eat fish. [1] Gulls eat fish and bread. [2]"]
    }
    assert [OWLS[each.start : each.end] for each in result.quotation.quotes[:2]] == [
        "Owls hunt at night.", "Some owls eat fish."
    ]  # fmt: skip


async def test_units_that_are_much_worse_are_left_out() -> None:
    assert texts(await quote({**SCORES, "Some owls eat fish.": 0.5, "Gulls eat fish and bread.": 0.5})) == [
        "Owls hunt at night. [1]"
    ]


async def test_a_language_model_chooses_among_all_good_units_or_none() -> None:
    result = await quote({**SCORES, "Some owls eat fish.": 0.1}, "model")
    assert len(texts(result)) == 4
    assert result.quotation is not None
    grammar = str(result.quotation.structure["grammar"])
    assert grammar.splitlines()[0] == 'root ::= "nothing" | upto3from0'
    assert 'quote0 ::= "Owls hunt at night. [1]"' in grammar


async def test_without_a_unit_that_is_near_enough_nothing_is_quoted() -> None:
    low = await quote(SCORES, minimum=0.76)
    assert low.quotation is None
    assert low.confidence == pytest.approx(0.75)
    assert (await quote(SCORES, minimum=0.74)).quotation is not None


async def test_a_hit_that_contains_what_the_question_names_is_quoted_whatever_its_confidence() -> None:
    hits = [Hit(a_chunk("The part QX-7731-B is a valve."), 1.0, cosine=0.1, is_exact=True)]
    reranker = FakeReranker()
    reranker.scores = {"The part QX-7731-B is a valve.": 0.1}
    quoter = Quoter(reranker, min_confidence=0.9, refusal="nothing")
    result = await quoter.quote("What is QX-7731-B?", hits, {}, "ranking")
    assert texts(result) == ["The part QX-7731-B is a valve. [1]"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the voltage of PX-037?", ["Part: PX-037; Voltage: 230 [1]"]),
        ("What is the voltage of PX-099?", []),
        ("What is the voltage of maxValve?", ["Part: PX-036; Voltage: 400 [1]", "Part: PX-037; Voltage: 230 [1]"]),
        ("Which voltages are there?", ["Part: PX-036; Voltage: 400 [1]", "Part: PX-037; Voltage: 230 [1]"]),
    ],
)
async def test_of_rows_only_those_that_the_question_names(question: str, expected: list[str]) -> None:
    hits = [Hit(a_chunk("| PX-036 | 400 |\n| PX-037 | 230 |", header="| Part | Voltage |\n|---|---|"), 1.0, cosine=0.5)]
    reranker = FakeReranker()
    reranker.scores = {"Part: PX-036; Voltage: 400": 0.9, "Part: PX-037; Voltage: 230": 0.88}
    quoter = Quoter(reranker, min_confidence=0, refusal="nothing")
    result = await quoter.quote(question, hits, {}, "ranking")
    assert ([] if result.quotation is None else texts(result)) == expected


@pytest.mark.parametrize("failure", [DependencyUnavailable("no encoder"), InvalidRequest("no token vectors")])
async def test_without_the_encoder_units_are_compared_by_their_words(failure: RagError) -> None:
    result = await quote({}, failure=failure, minimum=0.9)
    assert texts(result)[0] == "Owls hunt at night. [1]"
    assert result.note == NOT_SCORED


async def test_a_unit_that_only_repeats_the_question_is_not_quoted() -> None:
    hits = [Hit(a_chunk("Type `ask 'When do owls hunt?'` and press enter. Owls hunt at night."), 1.0, cosine=0.6)]
    quoter = Quoter(FakeReranker(), min_confidence=0, refusal="nothing")
    result = await quoter.quote("When do owls hunt?", hits, {}, "ranking")
    assert texts(result) == ["Owls hunt at night. [1]"]


async def test_only_the_best_hits_are_compared() -> None:
    hits = [Hit(a_chunk(f"Owl number {n} hunts at night.", filename=f"{n}.md"), 1.0) for n in range(MAX_HITS + 5)]
    reranker = FakeReranker()
    reranker.scores = {f"Owl number {MAX_HITS + 4} hunts at night.": 1.0}
    quoter = Quoter(reranker, min_confidence=0, refusal="nothing")
    result = await quoter.quote("When?", hits, {}, "model")
    assert result.quotation is not None
    assert max(quote.source for quote in result.quotation.quotes) <= MAX_HITS


async def test_text_that_nobody_can_quote_is_no_answer() -> None:
    quoter = Quoter(FakeReranker(), min_confidence=0, refusal="nothing")
    assert await quoter.quote("Why?", [Hit(a_chunk("???"), 1.0)], {}, "ranking") == QuoteResult()


async def test_a_quote_names_the_page_of_its_own_words() -> None:
    text = "Owls hunt at night. Gulls live near the sea."
    pages = (PageStart(90, 4), PageStart(100 + text.index("Gulls"), 5))
    hits = [Hit(a_chunk(text, start=100, end=100 + len(text), page=4, pages=pages), 1.0, cosine=0.5)]
    reranker = FakeReranker()
    reranker.scores = {"Owls hunt at night.": 0.9, "Gulls live near the sea.": 0.9}
    quoter = Quoter(reranker, min_confidence=0, refusal="nothing")
    result = await quoter.quote("Where and when?", hits, {}, "ranking")
    assert result.quotation is not None
    assert [(quote.text[:5], quote.page) for quote in result.quotation.quotes] == [("Owls ", 4), ("Gulls", 5)]


async def test_a_quote_has_the_rectangles_of_its_own_words() -> None:
    before, text, after = "Mice sleep, and", "owls hunt at night.", "Gulls eat."
    chunks = []
    for number, part in enumerate((before, text, after)):
        start = sum(len(each) + 1 for each in (before, text, after)[:number])
        line = TextRun(start, start + len(part), 1, 0, 20 * number, len(part), 20 * number + 10)
        chunks.append(a_chunk(part, ordinal=number, start=start, end=line.end, places=packed([line], start)))
    neighbours = {chunk.chunk_id: chunk for chunk in (chunks[0], chunks[2])}
    quoter = Quoter(FakeReranker(), min_confidence=0, refusal="nothing")
    result = await quoter.quote("When do owls hunt?", [Hit(chunks[1], 1.0, cosine=0.5)], neighbours, "model")
    assert result.quotation is not None
    (quote,) = (quote for quote in result.quotation.quotes if "owls" in quote.text)
    assert quote.rectangles == (Rectangle(1, 0, 0, len(before), 10), Rectangle(1, 0, 20, len(text), 30))


async def test_front_matter_is_quoted_only_if_it_may_answer() -> None:
    hit = Hit(a_chunk(f"title: When owls hunt\nauthor: Ada Lovelace\n\n{OWLS}", filename="owls.md"), 1.0, cosine=0.6)
    reranker = FakeReranker()
    reranker.scores = {"title: When owls hunt": 0.9, "Owls hunt at night.": 0.8}
    quoter = Quoter(reranker, min_confidence=0.0, refusal="nothing")
    assert texts(await quoter.quote("When do owls hunt?", [hit], {}, "ranking")) == ["Owls hunt at night. [1]"]
    asked = await quoter.quote("What is the title of the text?", [hit], {}, "ranking")
    assert texts(asked)[0] == "title: When owls hunt [1]"


async def test_rows_below_an_identifier_that_only_their_passage_has() -> None:
    invoice = "Invoice RE-2026-0042\nItem | Price | Total\nValve | 4 | 154.00\nSeal | 10 | 72.00\nTotal | 14 | 226.00"
    hits = [
        Hit(a_chunk("Item | Price | Total\nTotal | 9 | 999.00\nTotal | 1 | 1.00", filename="b.pdf"), 1.0, cosine=0.6),
        Hit(a_chunk(invoice, filename="a.pdf"), 0.9, cosine=0.5),
    ]
    reranker = FakeReranker()
    reranker.scores = {"Item: Total; Price: 14; Total: 226.00": 0.9}
    quoter = Quoter(reranker, min_confidence=0.0, refusal="nothing")
    found = texts(await quoter.quote("What is the total of RE-2026-0042?", hits, {}, "model"))
    assert "226.00" in " ".join(found)
    assert "999.00" not in " ".join(found)
