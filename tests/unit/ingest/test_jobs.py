"""How every kind of job begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rag.auth.caller import Caller, queueing_caller
from rag.errors import DependencyUnavailable
from rag.ingest.job import JobCancelled, JobInterrupted, run_job


class RecordingLifecycle:
    """Records its calls and is its own `Steps`. `abort` re-raises errors that may be temporary."""

    def __init__(self, *, is_active: bool = True) -> None:
        self.is_active = is_active
        self.calls: list[str] = []

    def begin(self, job_id: str) -> bool:
        self.calls.append("begin")
        return self.is_active

    def store_of(self, job_id: str) -> str:
        return f"store of {job_id}"

    def finish(self, job_id: str) -> None:
        self.calls.append("finish")

    def abort(self, job_id: str, error: Exception) -> None:
        self.calls.append(f"abort {type(error).__name__}")
        if isinstance(error, DependencyUnavailable):
            raise error

    def release(self, job_id: str) -> None:
        self.calls.append("release")

    def run(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        self.calls.append(f"step {name}")
        return work(*arguments)


def run_recorded(lifecycle: RecordingLifecycle, body: Callable[[], None]) -> list[str]:
    run_job(lifecycle, "job", lifecycle, body)
    return lifecycle.calls


def raising(error: Exception) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_a_job_takes_the_turns_of_its_vector_store_in_queues() -> None:
    callers: list[Caller] = []
    run_recorded(RecordingLifecycle(), lambda: callers.append(queueing_caller()))
    assert [(caller.queue, caller.is_background) for caller in callers] == [("/store of job", True)]
    assert queueing_caller().queue == "/"


def test_a_job_finishes_in_a_step_of_its_own() -> None:
    lifecycle = RecordingLifecycle()
    assert run_recorded(lifecycle, lambda: lifecycle.calls.append("work")) == [
        "begin",
        "work",
        "step finish",
        "finish",
        "release",
    ]


def test_an_ended_job_is_not_run() -> None:
    assert run_recorded(RecordingLifecycle(is_active=False), raising(AssertionError())) == ["begin", "release"]


def test_a_cancelled_job_is_released_without_finishing() -> None:
    assert run_recorded(RecordingLifecycle(), raising(JobCancelled())) == ["begin", "release"]


def test_an_interrupted_job_raises() -> None:
    lifecycle = RecordingLifecycle()
    with pytest.raises(JobInterrupted):
        run_recorded(lifecycle, raising(JobInterrupted()))
    assert lifecycle.calls == ["begin", "release"]


def test_a_failed_job_is_aborted() -> None:
    assert run_recorded(RecordingLifecycle(), raising(ValueError())) == ["begin", "abort ValueError", "release"]


def test_an_error_raised_by_abort_reaches_the_engine_after_release() -> None:
    lifecycle = RecordingLifecycle()
    with pytest.raises(DependencyUnavailable):
        run_recorded(lifecycle, raising(DependencyUnavailable("away")))
    assert lifecycle.calls == ["begin", "abort DependencyUnavailable", "release"]
