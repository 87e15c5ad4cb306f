"""Evaluation of answers, as its users run it, on the real engine. That of search is in tests/integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import DOCS
from tests.e2e.evaluating import evaluate, read
from tests.e2e.running import RunningService

QUESTIONS: list[dict[str, Any]] = [
    {"_id": "lake", "question": "Which lake is the axolotl from?", "answers": ["Xochimilco"], "gold_doc": "axolotl.md"},
    {"_id": "press", "question": "Where did Gutenberg build his printing press?", "gold_doc": "printing.md"},
    {"_id": "capital", "question": "What is the capital of Australia?", "unanswerable": True},
]


def a_set(folder: Path) -> Path:
    for name, text in DOCS.items():
        path = folder / "docs" / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "qa.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    (folder / "set.json").write_text(json.dumps({"name": "animals", "licence": "none", "docs": "docs"}))
    return folder


@pytest.mark.long
def test_answers_are_measured(service: RunningService, tmp_path: Path) -> None:
    done = evaluate(service, tmp_path / "out", a_set(tmp_path / "animals"))
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "out", "animals", "service")["answers"]
    assert {"abstained", "answered"} <= set(found["metrics"])
    assert set(found["given"]) == {question["_id"] for question in QUESTIONS}
    assert all(answer["text"] for answer in found["given"].values())
    assert (tmp_path / "out" / "answers.png").stat().st_size > 1000
