"""Vector stores share the parser: one with many files leaves room for another's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rag.auth.caller import working_for
from rag.ingest.job import JobCancelled
from rag.ingest.parse_slots import ParseSlots
from tests.support.library_harness import eventually
from tests.support.loop_in_thread import loop_in_thread


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with loop_in_thread() as running:
        yield running


class Reading(threading.Thread):
    """Reads a file for a vector store until it is told to end."""

    def __init__(self, slots: ParseSlots, store: str) -> None:
        super().__init__(daemon=True)
        self._slots, self._store = slots, store
        self.has_begun, self.may_end, self.is_cancelled = threading.Event(), threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with working_for(self._store), self._slots.slot(self._check):
                self.has_begun.set()
                self.may_end.wait(60)
        except BaseException as error:
            self.error = error

    def _check(self) -> None:
        if self.is_cancelled.is_set():
            raise JobCancelled

    def end(self) -> None:
        self.may_end.set()
        self.join(60)


def test_a_store_with_many_files_leaves_a_slot_to_others(loop: asyncio.AbstractEventLoop) -> None:
    slots = ParseSlots(loop, 3)
    many = [Reading(slots, "vs_1") for _ in range(4)]
    eventually(lambda: sum(reading.has_begun.is_set() for reading in many) == 2)
    other = Reading(slots, "vs_2")
    assert other.has_begun.wait(60)
    assert sum(reading.has_begun.is_set() for reading in many) == 2
    other.end()
    for reading in many:
        reading.may_end.set()
    for reading in many:
        reading.join(60)
        assert reading.error is None
        assert reading.has_begun.is_set()


def test_a_cancelled_job_leaves_the_queue(loop: asyncio.AbstractEventLoop) -> None:
    slots = ParseSlots(loop, 1)
    first, second, third = _started_in_order(slots)
    second.is_cancelled.set()
    second.join(60)
    assert isinstance(second.error, JobCancelled)
    first.end()
    assert third.has_begun.wait(60)
    third.end()
    assert not second.has_begun.is_set()
    eventually(lambda: slots.in_use == 0)


def _started_in_order(slots: ParseSlots) -> tuple[Reading, Reading, Reading]:
    first = Reading(slots, "vs_1")
    assert first.has_begun.wait(60)
    second = Reading(slots, "vs_1")
    eventually(lambda: slots.waiting == 1)
    third = Reading(slots, "vs_1")
    eventually(lambda: slots.waiting == 2)
    return first, second, third


def test_a_file_that_fails_gives_its_slot_back(loop: asyncio.AbstractEventLoop) -> None:
    slots = ParseSlots(loop, 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), slots.slot(lambda: None):
            raise ValueError("broken")
    eventually(lambda: slots.in_use == 0)


def test_a_loop_that_has_ended_does_not_stop_the_job() -> None:
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()
    with ParseSlots(other, 1).slot(lambda: None):
        other.call_soon_threadsafe(other.stop)
        thread.join()
        other.close()
