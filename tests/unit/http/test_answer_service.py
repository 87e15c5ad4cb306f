"""What `/ask`, chat and responses have in common."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rag.generate.pipeline import AnswerEvent, Done
from rag.generate.verify import Verifier
from rag.http.answering import AnswerRequest, AnswerService
from rag.types import TextDelta
from tests.fakes import FakeGenerator
from tests.fakes.support import FakeSupport
from tests.fakes.upstream_services import FakeUpstreamServices


def answering(generator: FakeGenerator, neighbours: FakeUpstreamServices, **options: Any) -> AnswerService:
    verifier = Verifier(FakeSupport(0.2), weak_below=0.5)
    own: Any = {"sampling": {"max_tokens": 9}, "citations": "check", "verifier": verifier}
    services: Any = neighbours
    writer: Any = generator
    return AnswerService(services, services, writer, **(own | options))


async def answered(asked: AnswerRequest, text: str = "Red [1, 7]", **options: Any) -> tuple[str, Done, FakeGenerator]:
    generator = FakeGenerator(text)
    answer = await answering(generator, FakeUpstreamServices(), **options).begin(asked)
    events: list[AnswerEvent] = [event async for event in answer.events]
    await answer.aclose()
    done = events[-1]
    assert isinstance(done, Done)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), done, generator


async def test_marks_are_checked_unless_the_request_says_otherwise() -> None:
    text, done, _ = await answered(AnswerRequest("Why?"))
    assert (text, done.removed, done.weakly_supported) == ("Red [1]", 1, None)
    text, done, _ = await answered(AnswerRequest("Why?", citations="off"))
    assert (text, done.removed, done.citations) == ("Red [1, 7]", 0, ())
    text, done, _ = await answered(AnswerRequest("Why?", citations="check"), citations="off")
    assert text == "Red [1]"


async def test_sentences_are_scored_where_that_is_wanted() -> None:
    _, done, _ = await answered(AnswerRequest("Why?", citations="verify"))
    assert [(citation.score, citation.weak) for citation in done.citations] == [(0.2, True)]
    assert done.weakly_supported == 1
    _, done, _ = await answered(AnswerRequest("Why?"), citations="verify")
    assert done.weakly_supported == 1


async def test_a_text_of_a_prescribed_form_is_left_as_it_is() -> None:
    asked = AnswerRequest("Why?", sampling={"structured_outputs": {"regex": ".*"}}, citations="verify")
    text, done, _ = await answered(asked)
    assert (text, done.citations, done.weakly_supported) == ("Red [1, 7]", (), None)


async def test_the_adapter_and_the_client_s_instructions_travel() -> None:
    generator, neighbours = FakeGenerator(), FakeUpstreamServices()
    asked = AnswerRequest("Why?", {"system": "Be kind."}, {"max_tokens": 3}, "sql")
    answer = await answering(generator, neighbours).begin(asked)
    await answer.aclose()
    assert generator.models == ["sql"]
    assert neighbours.prepared == [{"system": "Be kind.", "question": "Why?", "max_tokens": 3, "context_tokens": 2048}]


@pytest.mark.parametrize("count", [1, 3])
async def test_without_sources_each_text_says_so(count: int) -> None:
    answer = await answering(FakeGenerator(), FakeUpstreamServices(())).begin(
        AnswerRequest("Why?", sampling={"n": count})
    )
    done = [event async for event in answer.events][-1]
    assert isinstance(done, Done)
    assert len(done.texts) == count


async def test_closing_an_answer_stops_the_engine() -> None:
    generator = FakeGenerator(start=asyncio.Event())
    answer = await answering(generator, FakeUpstreamServices()).begin(AnswerRequest("Why?"))
    assert generator.running == 1
    await answer.aclose()
    assert (generator.running, generator.cancelled) == (0, 1)
