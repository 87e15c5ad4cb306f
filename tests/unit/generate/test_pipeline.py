"""Prepared prompt + the model's pieces -> events, with checked and verified citations."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

import pytest

from rag.errors import DependencyUnavailable
from rag.generate.pipeline import (
    DEFAULT_OPTIONS,
    NO_SOURCES,
    NOT_FOUND,
    AnswerEvent,
    AnswerOptions,
    Done,
    PreparedAnswer,
    SourcesFound,
    answer,
)
from rag.generate.verify import NOT_VERIFIED, Verifier
from rag.types import Hit, Prompt, StreamEnd, TextDelta, TextEnd, TokenLogprob, Usage
from tests.fakes import FakeGenerator
from tests.fakes.support import FakeSupport
from tests.support.builders import a_chunk

HITS = tuple(Hit(a_chunk(f"text {i}", filename=f"{i}.md"), 1 - i / 10) for i in range(1, 4))


def file_of(index: int) -> str:
    return HITS[index - 1].chunk.file_id


def prepared(sources: tuple[Hit, ...] = HITS) -> PreparedAnswer:
    return PreparedAnswer(Prompt((1, 2, 3), sources), {"encode": 1.0, "search": 2.0}, "queries: timeout")


async def events_of(generator: FakeGenerator, manner: AnswerOptions = DEFAULT_OPTIONS) -> list[AnswerEvent]:
    ready = prepared()
    pieces = await generator.generate(ready.prompt.token_ids, {}, "id")
    async with contextlib.aclosing(pieces):
        return [event async for event in answer(ready, pieces, manner)]


async def scripted(*pieces: TextDelta | StreamEnd) -> AsyncGenerator[TextDelta | StreamEnd, None]:
    for piece in pieces:
        yield piece


def text_of(events: Sequence[AnswerEvent], index: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.index == index)


def last(events: Sequence[AnswerEvent]) -> Done:
    done = events[-1]
    assert isinstance(done, Done)
    return done


async def test_events_come_in_the_order_of_the_wire() -> None:
    generator = FakeGenerator("Because [2] it is [1].")
    sources, *tokens, usage, done = await events_of(generator)
    assert sources == SourcesFound(HITS)
    assert "".join(t.text for t in tokens if isinstance(t, TextDelta)) == "Because [2] it is [1]."
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
    assert (found, text, usage) == (SourcesFound(()), TextDelta(NOT_FOUND), Usage(0, 0))
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
    assert got[0] == SourcesFound(HITS)
    assert text_of(got) == "one two "


# Marks


async def test_marks_are_checked_on_the_way() -> None:
    events = await events_of(FakeGenerator("It is [1, 9]. Or not [7]. Ever"))
    assert text_of(events) == "It is [1]. Or not. Ever"
    assert [(c.index, c.file_id, c.start, c.end, c.score) for c in last(events).citations] == [
        (1, file_of(1), 6, 9, None)
    ]
    assert (last(events).removed, last(events).weakly_supported) == (2, None)


async def test_where_marks_are_not_wanted_the_text_is_as_it_is() -> None:
    events = await events_of(FakeGenerator('{"a": [9] }'), AnswerOptions(checks_marks=False))
    assert text_of(events) == '{"a": [9] }'
    assert (last(events).citations, last(events).removed) == ((), 0)


async def test_each_of_several_texts_has_its_own_marks() -> None:
    logprob = TokenLogprob(" [", 5, -0.1)
    pieces = scripted(
        TextDelta("One", 0),
        TextDelta(" [", 1, (logprob,)),
        TextDelta(" [1", 0),
        TextDelta("9] two", 1),
        TextDelta("].", 0),
        TextDelta("", 1, tool_calls=({"index": 0},)),
        TextDelta(" [", 1),
        StreamEnd("stop", Usage(3, 9), ends=(TextEnd("stop", "x"), TextEnd("length"))),
    )
    events = [event async for event in answer(prepared(), pieces, AnswerOptions(texts=2))]
    first, second = last(events).texts
    assert (text_of(events, 0), first.text, first.finish_reason, first.stop_reason) == (
        "One [1].", "One [1].", "stop", "x",
    )  # fmt: skip
    assert (text_of(events, 1), second.text, second.finish_reason, second.removed) == (" two [", " two [", "length", 1)
    assert [len(text.citations) for text in (first, second)] == [1, 0]
    assert [e.logprobs for e in events if isinstance(e, TextDelta) and e.logprobs] == [(logprob,)]
    assert [e.tool_calls for e in events if isinstance(e, TextDelta) and e.tool_calls] == [({"index": 0},)]


async def test_what_was_held_back_comes_before_a_failure() -> None:
    got: list[AnswerEvent] = []
    pieces = await FakeGenerator("one [1", dies_after=2).generate((1,), {}, "id")
    with pytest.raises(DependencyUnavailable):  # noqa: PT012
        async for event in answer(prepared(), pieces):
            got.append(event)
    assert text_of(got) == "one [1"


async def test_several_texts_say_that_nothing_was_found() -> None:
    events = [event async for event in answer(prepared(()), None, AnswerOptions(texts=2))]
    assert [text_of(events, index) for index in (0, 1)] == [NOT_FOUND] * 2
    assert [text.finish_reason for text in last(events).texts] == [NO_SOURCES] * 2


# Verification


def verifying(encoder: FakeSupport) -> AnswerOptions:
    return AnswerOptions(verifier=Verifier(encoder, weak_below=0.5, timeout_s=0.05))


async def test_cited_sentences_are_scored_against_their_sources() -> None:
    encoder = FakeSupport(0.9, 0.49994)
    written = FakeGenerator("Apples are red [1]. Plums are blue [3]. Apples are red [1].")
    events = await events_of(written, verifying(encoder))
    assert encoder.asked == [("Apples are red.", "text 1"), ("Plums are blue.", "text 3")]
    assert [(c.score, c.weak) for c in last(events).citations] == [(0.9, False), (0.4999, True), (0.9, False)]
    assert last(events).weakly_supported == 1
    assert "verify" in last(events).timings_ms


async def test_without_citations_nothing_is_asked() -> None:
    encoder = FakeSupport()
    done = last(await events_of(FakeGenerator("Apples are red."), verifying(encoder)))
    assert (encoder.asked, done.weakly_supported, done.note) == ([], 0, "queries: timeout")


@pytest.mark.parametrize("encoder", [FakeSupport(hangs=True), FakeSupport(failure=DependencyUnavailable("gone"))])
async def test_an_encoder_that_does_not_answer_leaves_citations_unscored(encoder: FakeSupport) -> None:
    events = await events_of(FakeGenerator("Apples are red [1]."), verifying(encoder))
    done = last(events)
    assert text_of(events) == "Apples are red [1]."
    assert [(c.score, c.weak) for c in done.citations] == [(None, False)]
    assert (done.weakly_supported, done.note) == (None, f"queries: timeout; {NOT_VERIFIED}")
