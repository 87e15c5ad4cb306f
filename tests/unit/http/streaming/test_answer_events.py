"""The public format of the events of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from rag.errors import InternalError
from rag.generate.citations import Citation
from rag.generate.events import AnswerEvent, CompletedText, Done, SourcesFound
from rag.http.streaming.answer_events import answer_to_wire, whole_answer
from rag.types import Hit, ReasoningDelta, TextDelta, Usage
from tests.support.builders import a_chunk


async def answer_of(*events: AnswerEvent) -> AsyncGenerator[AnswerEvent, None]:
    for event in events:
        yield event


async def serialize(*events: AnswerEvent) -> list[tuple[str, dict[str, Any]]]:
    return [event async for event in answer_to_wire(answer_of(*events))]


async def test_events_are_serialized_to_the_public_format() -> None:
    hit = Hit(a_chunk("Apples are red."), 1.0)
    completed = CompletedText("Red [1]", "stop", citations=(Citation(1, "file-1", 4, 7),), citations_removed=2)
    (sources, token, usage, done) = await serialize(
        SourcesFound((hit,)), TextDelta("Red [1]"), Usage(3, 2, 1), Done((completed,), {"total": 1.5})
    )
    assert (sources[0], [source["index"] for source in sources[1]["sources"]]) == ("sources", [1])
    assert token == ("token", {"text": "Red [1]"})
    assert usage == ("usage", {"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 1, "reasoning_tokens": 0})
    assert done == (
        "done",
        {
            "finish_reason": "stop",
            "citations": [{"index": 1, "file_id": "file-1", "start": 4, "end": 7}],
            "citations_removed": 2,
            "timings_ms": {"total": 1.5},
        },
    )


async def test_scores_and_notes_appear_only_if_present() -> None:
    completed = CompletedText("", "stop", citations=(Citation(1, "file-1", 4, 7, 0.25, weak=True),), weakly_supported=1)
    ((_, done),) = await serialize(Done((completed,), {}, "too late"))
    assert done["citations"] == [{"index": 1, "file_id": "file-1", "start": 4, "end": 7, "score": 0.25, "weak": True}]
    assert (done["weakly_supported"], done["note"], done["note_codes"]) == (1, "too late", [""])


async def test_a_complete_answer_has_the_data_of_all_events() -> None:
    completed = CompletedText("Red [1]", "stop", citations=(Citation(1, "file-1", 4, 7),))
    events = (
        SourcesFound((Hit(a_chunk("Apples are red."), 1.0),)),
        *(ReasoningDelta("Fruit"), ReasoningDelta("?"), TextDelta("Red "), TextDelta("[1]")),
        *(Usage(3, 2, 1), Done((completed,), {"total": 1.5})),
    )
    streamed = dict(await serialize(*events))
    assert await whole_answer(answer_of(*events)) == {
        "answer": "Red [1]",
        "thinking": "Fruit?",
        "usage": streamed["usage"],
        **streamed["sources"],
        **streamed["done"],
    }
    assert "thinking" not in await whole_answer(answer_of(*events[3:]))


async def test_an_answer_that_ends_too_early_is_an_error() -> None:
    with pytest.raises(InternalError):
        await whole_answer(answer_of(TextDelta("Red")))
