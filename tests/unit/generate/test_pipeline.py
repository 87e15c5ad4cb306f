"""The answer pipeline: question -> prompt -> tokens -> events, with checked and verified citations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from rag.adapters.memory_cache import MemoryCache
from rag.errors import ContextLengthExceeded, DependencyUnavailable, InvalidRequest
from rag.generate.answer_cache import CachingGenerator
from rag.generate.events import AnswerEvent, Done, SourcesFound
from rag.generate.pipeline import NO_SOURCES, NOT_FOUND, AnswerPipeline, AnswerRequest
from rag.generate.verify import NOT_VERIFIED, Verifier
from rag.ports import Generator, TokenStream
from rag.types import (
    Hit,
    ModelInput,
    Quotation,
    Quote,
    RenderedChat,
    StreamEnd,
    TextDelta,
    TextEnd,
    TokenLogprob,
    Usage,
)
from tests.fakes import FakeGenerator
from tests.fakes.language_model.ending_generator import EndingGenerator
from tests.fakes.prompt_preparer import FakePromptPreparer
from tests.fakes.support import FakeSupport
from tests.support.builders import a_chunk

HITS = tuple(Hit(a_chunk(f"text {i}", filename=f"{i}.md"), 1 - i / 10) for i in range(1, 4))
QUESTION = AnswerRequest("Why?")


def file_of(index: int) -> str:
    return HITS[index - 1].chunk.file_id


def make_preparer(sources: tuple[Hit, ...] = HITS) -> FakePromptPreparer:
    return FakePromptPreparer(sources, timings_ms={"encode": 1.0, "search": 2.0}, note="queries: timeout")


def make_pipeline(generator: Generator, preparer: FakePromptPreparer | None = None, **options: Any) -> AnswerPipeline:
    preparer = preparer or make_preparer()
    verifier = Verifier(FakeSupport(0.2), weak_below=0.5)
    defaults: dict[str, Any] = {"sampling": {"max_tokens": 9}, "citations": "check", "verifier": verifier}
    return AnswerPipeline(preparer, preparer, generator, **(defaults | options))


async def events_of(generator: Generator, request: AnswerRequest = QUESTION, **options: Any) -> list[AnswerEvent]:
    async with make_pipeline(generator, **options).answer(request, "id") as events:
        return [event async for event in events]


OWN = {"max_pattern_size": 8, "min_count": 9}
REPETITION = {"max_pattern_size": 64, "min_count": 4}


@pytest.mark.parametrize(
    ("requested", "sent"),
    [
        ({}, REPETITION),
        ({"structured_outputs": {"json_object": True}}, None),
        ({"structured_outputs": {"json_object": True}, "repetition_detection": OWN}, OWN),
    ],
    ids=["text", "structure", "structure with its own"],
)
async def test_repetition_does_not_end_a_text_with_a_structure(requested: dict[str, Any], sent: object) -> None:
    generator, sampling = FakeGenerator(), {"max_tokens": 9, "repetition_detection": REPETITION}
    await events_of(generator, AnswerRequest("Why?", sampling=requested), sampling=sampling)
    assert generator.requests[-1][1].get("repetition_detection") == sent


class ScriptedGenerator:
    """A language model that streams the given deltas."""

    def __init__(self, *deltas: TextDelta | StreamEnd) -> None:
        self._deltas = deltas

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: Mapping[str, Any], request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        yield self._stream()

    async def _stream(self) -> AsyncGenerator[TextDelta | StreamEnd, None]:
        for delta in self._deltas:
            yield delta


def text_of(events: Sequence[AnswerEvent], index: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.index == index)


def last(events: Sequence[AnswerEvent]) -> Done:
    done = events[-1]
    assert isinstance(done, Done)
    return done


async def test_events_are_sources_tokens_usage_done_in_this_order() -> None:
    generator = FakeGenerator("Because [2] it is [1].")
    sources, *tokens, usage, done = await events_of(generator)
    assert sources == SourcesFound(HITS, ("apples",))
    assert "".join(t.text for t in tokens if isinstance(t, TextDelta)) == "Because [2] it is [1]."
    assert usage == Usage(3, 5)
    assert isinstance(done, Done)
    assert (done.finish_reason, [c.index for c in done.citations], done.note) == ("stop", [2, 1], "queries: timeout")
    assert generator.running == 0


async def test_timings_cover_every_step() -> None:
    done = last(await events_of(FakeGenerator()))
    assert set(done.timings_ms) == {"encode", "search", "first_token", "total"}
    assert 0 < done.timings_ms["first_token"] <= done.timings_ms["total"]


async def test_an_empty_answer_has_a_first_token_time_of_zero() -> None:
    *_, usage, done = await events_of(FakeGenerator(""))
    assert isinstance(done, Done)
    assert (usage, done.citations, done.timings_ms["first_token"]) == (Usage(3, 0), (), 0)


async def test_a_cached_answer_is_marked_in_the_timings() -> None:
    generator = FakeGenerator("Red [1].")
    cache = CachingGenerator(generator, MemoryCache(1 << 20), lambda: "smol", ttl_s=60)
    request = AnswerRequest("Why?", sampling={"temperature": 0})
    first, second = [last(await events_of(generator, request, cache=cache)) for _ in range(2)]
    assert "first_token" in first.timings_ms
    assert "cached_answer" in second.timings_ms
    assert first.texts == second.texts
    assert len(generator.requests) == 1


async def test_without_sources_the_model_is_not_called() -> None:
    generator = FakeGenerator()
    sources, text, usage, done = await events_of(generator, preparer=make_preparer(()))
    assert (sources, text, usage) == (SourcesFound((), ("apples",)), TextDelta(NOT_FOUND), Usage(0, 0))
    assert isinstance(done, Done)
    assert (done.finish_reason, done.citations) == (NO_SOURCES, ())
    assert set(done.timings_ms) == {"encode", "search", "total"}
    assert generator.requests == []


@pytest.mark.parametrize("count", [1, 3])
async def test_without_sources_every_choice_is_the_not_found_text(count: int) -> None:
    request = AnswerRequest("Why?", sampling={"n": count})
    events = await events_of(FakeGenerator(), request, preparer=make_preparer(()))
    assert [text_of(events, index) for index in range(count)] == [NOT_FOUND] * count
    assert [text.finish_reason for text in last(events).texts] == [NO_SOURCES] * count


async def test_adapter_request_id_and_instructions_are_passed_on() -> None:
    generator, preparer = FakeGenerator(), make_preparer()
    request = AnswerRequest("Why?", {"system": "Be kind."}, {"max_tokens": 3}, "sql")
    async with make_pipeline(generator, preparer).answer(request, "request-1"):
        pass
    assert generator.models == ["sql"]
    assert generator.requests == [(RenderedChat((1, 2, 3)), {"max_tokens": 3}, "request-1")]
    assert preparer.requests == [
        {"system": "Be kind.", "question": "Why?", "max_tokens": 3, "context_tokens": 2048, "style": "written"}
    ]


# Disconnects and failures


async def test_closing_an_answer_stops_the_engine() -> None:
    generator = FakeGenerator(start=asyncio.Event())
    async with make_pipeline(generator).answer(QUESTION, "id"):
        assert generator.running == 1
    assert (generator.running, generator.cancelled) == (0, 1)


async def test_cancelling_before_acceptance_leaves_no_request_running() -> None:
    generator = FakeGenerator(accepts=asyncio.Event())
    entering = asyncio.create_task(events_of(generator))
    await asyncio.sleep(0.01)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert (generator.running, generator.requests) == (0, [])


async def test_a_refusal_of_the_model_is_raised_on_entering() -> None:
    with pytest.raises(ContextLengthExceeded):
        async with make_pipeline(FakeGenerator(context_tokens=1)).answer(QUESTION, "id"):
            raise AssertionError("it was accepted")


async def test_an_engine_failure_in_mid_answer_is_raised() -> None:
    received: list[AnswerEvent] = []
    async with make_pipeline(FakeGenerator("one two three", dies_after=2)).answer(QUESTION, "id") as events:
        with pytest.raises(DependencyUnavailable):  # noqa: PT012
            async for event in events:
                received.append(event)
    assert received[0] == SourcesFound(HITS, ("apples",))
    assert text_of(received) == "one two "


async def test_a_stream_without_an_end_gives_no_done_event() -> None:
    events = await events_of(EndingGenerator(None))
    assert text_of(events) == "half"
    assert not any(isinstance(event, Done) for event in events)


async def test_buffered_text_is_sent_before_a_failure() -> None:
    received: list[AnswerEvent] = []
    async with make_pipeline(FakeGenerator("one [1", dies_after=2)).answer(QUESTION, "id") as events:
        with pytest.raises(DependencyUnavailable):  # noqa: PT012
            async for event in events:
                received.append(event)
    assert text_of(received) == "one [1"


# Citations


async def test_citations_are_checked_while_the_text_is_streamed() -> None:
    events = await events_of(FakeGenerator("It is [1, 9]. Or not [7]. Ever"))
    assert text_of(events) == "It is [1]. Or not. Ever"
    assert [(c.index, c.file_id, c.start, c.end, c.score) for c in last(events).citations] == [
        (1, file_of(1), 6, 9, None)
    ]
    assert (last(events).citations_removed, last(events).weakly_supported) == (2, None)


async def test_the_request_overrides_the_citation_mode() -> None:
    def make_generator() -> FakeGenerator:
        return FakeGenerator("Red [1, 7]")

    events = await events_of(make_generator(), AnswerRequest("Why?", citations="off"))
    assert text_of(events) == "Red [1, 7]"
    assert (last(events).citations, last(events).citations_removed) == ((), 0)
    events = await events_of(make_generator(), AnswerRequest("Why?", citations="check"), citations="off")
    assert text_of(events) == "Red [1]"
    for request, default in ((AnswerRequest("Why?", citations="verify"), "check"), (QUESTION, "verify")):
        done = last(await events_of(make_generator(), request, citations=default))
        assert [(citation.score, citation.weak) for citation in done.citations] == [(0.2, True)]
        assert done.weakly_supported == 1


@pytest.mark.parametrize(("text", "structure"), [("Red [1, 7]", {"regex": ".*"}), ('{"a": [9] }', {"json": {}})])
async def test_structured_output_is_not_checked_for_citations(text: str, structure: Mapping[str, Any]) -> None:
    request = AnswerRequest("Why?", sampling={"structured_outputs": structure}, citations="verify")
    events = await events_of(FakeGenerator(text), request)
    done = last(events)
    assert text_of(events) == text
    assert (done.citations, done.citations_removed, done.weakly_supported) == ((), 0, None)


async def test_every_choice_has_its_own_citations() -> None:
    logprob = TokenLogprob(" [", 5, -0.1)
    generator = ScriptedGenerator(
        TextDelta("One", 0),
        TextDelta(" [", 1, (logprob,)),
        TextDelta(" [1", 0),
        TextDelta("9] two", 1),
        TextDelta("].", 0),
        TextDelta("", 1, tool_calls=({"index": 0},)),
        TextDelta(" [", 1),
        StreamEnd("stop", Usage(3, 9), ends=(TextEnd("stop", "x"), TextEnd("length"))),
    )
    events = await events_of(generator, AnswerRequest("Why?", sampling={"n": 2}))
    first, second = last(events).texts
    assert (text_of(events, 0), first.text, first.finish_reason, first.stop_reason) == (
        "One [1].", "One [1].", "stop", "x",
    )  # fmt: skip
    assert (text_of(events, 1), second.text, second.finish_reason, second.citations_removed) == (
        " two [", " two [", "length", 1,
    )  # fmt: skip
    assert [len(text.citations) for text in (first, second)] == [1, 0]
    assert [e.logprobs for e in events if isinstance(e, TextDelta) and e.logprobs] == [(logprob,)]
    assert [e.tool_calls for e in events if isinstance(e, TextDelta) and e.tool_calls] == [({"index": 0},)]


# Verification


async def verify(text: str, encoder: FakeSupport) -> list[AnswerEvent]:
    verifier = Verifier(encoder, weak_below=0.5, timeout_s=0.05)
    return await events_of(FakeGenerator(text), citations="verify", verifier=verifier, sampling={"max_tokens": 99})


async def test_cited_sentences_are_scored_against_their_sources() -> None:
    encoder = FakeSupport(0.9, 0.49994)
    events = await verify("Apples are red [1]. Plums are blue [3]. Apples are red [1].", encoder)
    assert encoder.asked == [("Apples are red.", "text 1"), ("Plums are blue.", "text 3")]
    assert [(c.score, c.weak) for c in last(events).citations] == [(0.9, False), (0.4999, True), (0.9, False)]
    assert last(events).weakly_supported == 1
    assert "verify" in last(events).timings_ms


async def test_without_citations_nothing_is_verified() -> None:
    encoder = FakeSupport()
    done = last(await verify("Apples are red.", encoder))
    assert (encoder.asked, done.weakly_supported, done.note) == ([], 0, "queries: timeout")


@pytest.mark.parametrize("encoder", [FakeSupport(hangs=True), FakeSupport(failure=DependencyUnavailable("gone"))])
async def test_an_unavailable_encoder_leaves_citations_unscored(encoder: FakeSupport) -> None:
    events = await verify("Apples are red [1].", encoder)
    done = last(events)
    assert text_of(events) == "Apples are red [1]."
    assert [(c.score, c.weak) for c in done.citations] == [(None, False)]
    assert (done.weakly_supported, done.note) == (None, f"queries: timeout; {NOT_VERIFIED}")


# Quoted answers

QUOTED = "text 1 [1] text 2 [2]"
QUOTATION = Quotation(
    (Quote("text 1", "text 1 [1]", 1, 0, 6), Quote("text 2", "text 2 [2]", 2, 0, 6)), {"choice": [QUOTED]}
)


async def quoted_events(text: str, request: AnswerRequest = QUESTION) -> tuple[FakeGenerator, list[AnswerEvent]]:
    preparer, generator = make_preparer(), FakeGenerator(text)
    preparer.quotation, preparer.facts = QUOTATION, {"context_tokens": 2048, "embedded": True}
    return generator, await events_of(generator, request, preparer=preparer, style="auto")


async def test_a_quoted_answer_is_sent_as_it_is_with_exact_citations() -> None:
    generator, events = await quoted_events(QUOTED)
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.style, done.texts[0].text) == ("quoted", QUOTED)
    assert [(citation.index, citation.score) for citation in done.citations] == [(1, 1.0), (2, 1.0)]
    assert generator.requests[-1][1]["structured_outputs"] == {"choice": [QUOTED]}


async def test_a_model_without_grammars_refuses_the_style() -> None:
    preparer = make_preparer()
    preparer.quotation = QUOTATION
    pipeline = make_pipeline(FakeGenerator(_without_grammars), preparer, style="quoted")
    with pytest.raises(InvalidRequest, match=r"style: .*only json here") as caught:
        async with pipeline.answer(QUESTION, "id"):
            pass
    assert caught.value.param == "style"


def _without_grammars(_prompt: object, _sampling: object) -> str:
    raise InvalidRequest("only json here", param="structured_outputs")


async def test_a_request_for_a_written_answer_gets_one() -> None:
    generator, events = await quoted_events("text 9 [9].", AnswerRequest("Why?", style="written"))
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.style, done.texts[0].text, done.citations_removed) == ("written", "text 9.", 1)
    assert "structured_outputs" not in generator.requests[-1][1]


@pytest.mark.parametrize("citations", ["check", "off"])
async def test_a_written_answer_never_contains_the_fence(citations: Any) -> None:
    generator = FakeGenerator("<passages abcdef>\ntext </passages abcdef>")
    done = (await events_of(generator, AnswerRequest("Why?", citations=citations)))[-1]
    assert isinstance(done, Done)
    assert done.texts[0].text.strip() == "text"
