"""What is generated of a response in the background is written in batches, once, and as long as the lease holds."""

from __future__ import annotations

from typing import Any

import pytest

from rag.errors import DependencyUnavailable, NotFound, RagError
from rag.http.streaming.event_stream import Event
from rag.http.v1.responses.background.failure import failed_event
from rag.http.v1.responses.background.record import HEARTBEAT_S, ResponseRecord
from rag.records import LEASE_S, LeasedResponse, WrittenPart
from rag.types import JsonMapping

RESPONSE: dict[str, Any] = {"id": "resp_1", "status": "in_progress", "output": []}


class Queue:
    """Takes what is written, as the Retriever does."""

    def __init__(self) -> None:
        self.parts: list[WrittenPart] = []
        self.answers: list[bool | RagError] = []
        """To the next writes; after them, all are accepted."""

    async def write(self, part: WrittenPart) -> bool:
        self.parts.append(part)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, RagError):
            raise answer
        return answer

    @property
    def final(self) -> JsonMapping:
        """The response that was written last."""
        return self.parts[-1].final or {}

    @property
    def texts(self) -> list[list[str]]:
        return [[body.get("delta", name) for name, body in part.events] for part in self.parts]


class Written:
    def __init__(self, *, streams: bool = True) -> None:
        self.now = 0.0
        self.queue = Queue()
        leased = LeasedResponse("resp_1", "lease", RESPONSE, {}, "", "", streams, 1, 1)
        remote: Any = self.queue
        self.record = ResponseRecord(remote, leased, lambda error: failed_event(RESPONSE, error), lambda: self.now)

    def add(self, *texts: str) -> None:
        for text in texts:
            self.record.add(delta(text))

    def end(self) -> None:
        self.record.add(("response.completed", {"response": {**RESPONSE, "status": "completed", "store": False}}))


def delta(text: str, item: str = "msg_1") -> Event:
    return "response.output_text.delta", {"item_id": item, "delta": text, "logprobs": []}


@pytest.fixture
def written() -> Written:
    return Written()


async def test_texts_of_one_moment_are_one_event(written: Written) -> None:
    written.record.add(("response.created", {}))
    written.add("a", "b")
    assert await written.record.write()
    written.add("c")
    written.record.add(delta("d", "msg_2"))
    written.end()
    assert await written.record.write() is False
    assert written.queue.texts == [["ab"], ["c", "d", "response.completed"]]
    assert [part.last_number for part in written.queue.parts] == [1, 2]
    assert written.queue.parts[-1].final == {**RESPONSE, "status": "completed", "store": True}


async def test_nothing_is_written_but_a_heartbeat_while_there_is_nothing(written: Written) -> None:
    assert await written.record.write()
    written.now = HEARTBEAT_S
    assert await written.record.write()
    assert await written.record.write()
    assert written.queue.texts == [[]]


async def test_events_are_only_kept_if_the_response_is_streamed() -> None:
    written = Written(streams=False)
    written.add("a")
    assert await written.record.write()
    written.end()
    assert await written.record.write() is False
    assert (written.queue.texts, written.queue.final["status"]) == ([[]], "completed")


async def test_what_may_not_have_been_written_is_written_again_unchanged(written: Written) -> None:
    written.add("a")
    written.queue.answers = [DependencyUnavailable("the connection was lost")]
    assert await written.record.write()
    written.add("b")
    written.end()
    assert await written.record.write()
    assert await written.record.write() is False
    assert written.queue.texts == [["a"], ["a"], ["b", "response.completed"]]
    assert [part.last_number for part in written.queue.parts] == [1, 1, 2]
    assert [part.final is None for part in written.queue.parts] == [True, True, False]


async def test_it_stops_when_the_lease_must_have_ended(written: Written) -> None:
    written.add("a")
    written.queue.answers = [DependencyUnavailable("gone")] * 3
    assert await written.record.write()
    written.now = LEASE_S + 1
    assert await written.record.write() is False


async def test_it_stops_when_the_lease_is_not_valid(written: Written) -> None:
    written.add("a")
    written.queue.answers = [False]
    assert await written.record.write() is False


async def test_what_is_refused_becomes_the_failure(written: Written) -> None:
    written.add("a")
    written.end()
    written.queue.answers = [NotFound("conversation: it is gone", param="conversation")]
    assert await written.record.write()
    assert written.record.was_refused
    written.add("b")
    assert await written.record.write() is False
    assert written.queue.texts[-1] == ["response.failed", "error"]
    failed = written.queue.final
    assert (failed["status"], failed["error"]["message"]) == ("failed", "conversation: it is gone")
    assert written.queue.parts[-1].events[-1][1]["error"]["code"] == "not_found"


async def test_a_failure_that_is_refused_is_not_tried_for_ever(written: Written) -> None:
    written.end()
    written.queue.answers = [NotFound("gone"), NotFound("gone")]
    assert await written.record.write()
    assert await written.record.write() is False


async def test_what_is_given_up_writes_no_events(written: Written) -> None:
    written.add("a")
    written.record.give_up(7.0, is_counted=False)
    assert await written.record.write() is False
    last = written.queue.parts[-1]
    assert (last.events, last.final, last.retry_after_s, last.is_counted) == ([], None, 7.0, False)
