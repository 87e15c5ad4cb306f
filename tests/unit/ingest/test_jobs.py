"""What every kind of job does at its beginning and at its ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rag.errors import DependencyUnavailable
from rag.ingest.job import JobCancelled, JobInterrupted, run_job


class Life:
    """Notes what is asked of it, and is its own `Steps`. Giving up for good is fine, but not what may come back."""

    def __init__(self, *, go_on: bool = True) -> None:
        self.go_on = go_on
        self.said: list[str] = []

    def begin(self, job_id: str) -> bool:
        self.said.append("begin")
        return self.go_on

    def finish(self, job_id: str) -> None:
        self.said.append("finish")

    def abort(self, job_id: str, error: Exception) -> None:
        self.said.append(f"abort {type(error).__name__}")
        if isinstance(error, DependencyUnavailable):
            raise error

    def release(self, job_id: str) -> None:
        self.said.append("release")

    def run(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        self.said.append(f"step {name}")
        return work(*arguments)


def lived(life: Life, body: Callable[[], None]) -> list[str]:
    run_job(life, "job", life, body)
    return life.said


def fails(error: Exception) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_it_finishes_in_a_step_of_its_own() -> None:
    life = Life()
    assert lived(life, lambda: life.said.append("work")) == ["begin", "work", "step finish", "finish", "release"]


def test_one_that_has_ended_is_left_alone() -> None:
    assert lived(Life(go_on=False), fails(AssertionError())) == ["begin", "release"]


def test_one_that_was_cancelled_just_ends() -> None:
    assert lived(Life(), fails(JobCancelled())) == ["begin", "release"]


def test_one_that_is_broken_off_says_so() -> None:
    life = Life()
    with pytest.raises(JobInterrupted):
        lived(life, fails(JobInterrupted()))
    assert life.said == ["begin", "release"]


def test_one_that_cannot_go_on_is_given_up() -> None:
    assert lived(Life(), fails(ValueError())) == ["begin", "abort ValueError", "release"]


def test_what_giving_up_raises_reaches_the_engine_after_the_job_was_left() -> None:
    life = Life()
    with pytest.raises(DependencyUnavailable):
        lived(life, fails(DependencyUnavailable("away")))
    assert life.said == ["begin", "abort DependencyUnavailable", "release"]
