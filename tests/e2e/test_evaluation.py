"""Evaluation of answers, as its users run it, on the real engine."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.evaluating import OWN_DOCS, evaluate, read
from tests.e2e.running import RunningService


def test_answers_are_measured(service: RunningService, tmp_path: Path) -> None:
    done = evaluate(service, tmp_path, OWN_DOCS, "--queries", "6", "--seed", "1")
    assert done.returncode == 0, done.stderr
    found = read(tmp_path, "own_docs", "service")["answers"]
    assert {"abstained", "answered"} <= set(found["metrics"])
    assert all(answer["text"] for answer in found["given"].values())
    assert (tmp_path / "answers.png").stat().st_size > 1000
