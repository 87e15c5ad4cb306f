"""Prepared prompt + the model's pieces -> events, and marks -> citations."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DependencyUnavailable
from rag.generate.answer import NO_SOURCES, AnswerEvent, Done, Prepared, SourcesFound, answer
from rag.generate.citations import Citation, find_citations
from rag.retrieve.prompt import NOT_FOUND
from rag.types import Hit, Prompt, TextPiece, Usage
from tests.builders import a_chunk
from tests.fakes import FakeGenerator

HITS = tuple(Hit(a_chunk(f"text {i}", filename=f"{i}.md"), 1 - i / 10) for i in range(1, 4))


def file_of(index: int) -> str:
    return HITS[index - 1].chunk.file_id


def prepared(sources: tuple[Hit, ...] = HITS) -> Prepared:
    return Prepared(Prompt((1, 2, 3), sources), {"encode": 1.0, "search": 2.0}, "queries: timeout")


async def events_of(generator: FakeGenerator) -> list[AnswerEvent]:
    ready = prepared()
    pieces = await generator.generate(ready.prompt.token_ids, {}, "id")
    async with contextlib.aclosing(pieces):
        return [event async for event in answer(ready, pieces)]


async def test_events_come_in_the_order_of_the_wire() -> None:
    generator = FakeGenerator("Because [2] it is [1].")
    sources, *tokens, usage, done = await events_of(generator)
    assert sources == SourcesFound(HITS)
    assert "".join(t.text for t in tokens if isinstance(t, TextPiece)) == "Because [2] it is [1]."
    assert usage == Usage(3, 5)
    assert isinstance(done, Done)
    assert (done.finish_reason, [c.index for c in done.citations], done.note) == ("stop", [2, 1], "queries: timeout")
    assert generator.running == 0


async def test_timings_are_those_of_every_step() -> None:
    done = (await events_of(FakeGenerator()))[-1]
    assert isinstance(done, Done)
    assert set(done.timings_ms) == {"encode", "search", "first_token", "total"}
    assert 0 < done.timings_ms["first_token"] <= done.timings_ms["total"]


async def test_an_answer_without_a_token_has_no_first_token() -> None:
    *_, usage, done = await events_of(FakeGenerator(""))
    assert isinstance(done, Done)
    assert (usage, done.citations, done.timings_ms["first_token"]) == (Usage(3, 0), (), 0)


async def test_without_sources_it_says_so_and_asks_no_model() -> None:
    found, text, usage, done = [event async for event in answer(prepared(()), None)]
    assert (found, text, usage) == (SourcesFound(()), TextPiece(NOT_FOUND), Usage(0, 0))
    assert isinstance(done, Done)
    assert (done.finish_reason, done.citations) == (NO_SOURCES, ())
    assert set(done.timings_ms) == {"encode", "search", "total"}


async def test_a_model_that_dies_in_mid_answer_is_told() -> None:
    ready = prepared()
    pieces = await FakeGenerator("one two three", dies_after=2).generate((1,), {}, "id")
    got: list[AnswerEvent] = []
    with pytest.raises(DependencyUnavailable):  # noqa: PT012
        async for event in answer(ready, pieces):
            got.append(event)
    assert got == [SourcesFound(HITS), TextPiece("one "), TextPiece("two ")]



def test_a_mark_is_cited_where_it_stands() -> None:
    assert find_citations("Yes [2]. No [1][3].", HITS) == [
        Citation(2, file_of(2), 4, 7), Citation(1, file_of(1), 12, 15), Citation(3, file_of(3), 15, 18),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "no mark", "[0]", "[4]", "[999]", "[1234]", "[x]", "[-1]", "[ 1 ]", "[", "1]"])
def test_a_mark_that_names_no_source_is_left_out(text: str) -> None:
    assert find_citations(text, HITS) == []


@given(st.text(alphabet="[]0123456789 ab"))
def test_every_citation_is_a_mark_of_a_source(text: str) -> None:
    for citation in find_citations(text, HITS):
        assert text[citation.start : citation.end].strip("[]").lstrip("0") == str(citation.index)
        assert citation.file_id == file_of(citation.index)
