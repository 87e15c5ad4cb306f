"""`python -m evals.sweep`: options are tuned on one half of the queries, and measurements are reused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals import exact_search, milvus_docs, sweep
from evals.harness.set_reader import read_set
from evals.sweep_split import halves
from evals.sweep_stages import STAGES, START
from rag.types import JsonObject
from tests.fakes.services.eval_service import FakeEvalService

COUNT = 40


def lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    folder = tmp_path / "numbers"
    lines(folder / "corpus.jsonl", *({"_id": f"d{i}", "text": f"number{i} is here"} for i in range(COUNT)))
    lines(folder / "queries.jsonl", *({"_id": f"q{i}", "text": f"Where is number{i}"} for i in range(COUNT)))
    lines(folder / "qrels.tsv", "query-id\tcorpus-id\tscore", *(f"q{i}\td{i}\t1" for i in range(COUNT)))
    return folder


def only_good(name: str, value: object) -> Callable[[JsonObject], bool]:
    """A service that ranks well only with this option."""
    return lambda body: body["retrieval"].get(name) != value


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, JsonObject]]:
    def run(service: FakeEvalService, *arguments: object) -> tuple[int, JsonObject]:
        to = tmp_path / "result" / "sweep"
        where = ["--work", tmp_path / "work", "--to", to]
        code = sweep.main([str(argument) for argument in (*arguments, *where)], service.transport)
        return code, json.loads(to.with_suffix(".json").read_text())

    return run


def test_a_query_is_in_one_half_and_stays_there(numbers: Path) -> None:
    whole = read_set(numbers)
    tune, held = halves(whole, seed=0)
    ids = [{query.query_id for query in half.queries} for half in (tune, held)]
    assert not ids[0] & ids[1]
    assert len(ids[0] | ids[1]) == COUNT
    assert all(COUNT / 4 < len(half) < COUNT * 3 / 4 for half in ids)
    fewer = whole.only([f"q{i}" for i in range(0, COUNT, 2)])
    assert {query.query_id for query in halves(fewer, seed=0)[0].queries} <= ids[0]
    assert {query.query_id for query in halves(whole, seed=1)[0].queries} != ids[0]


def test_options_are_chosen_on_one_half_and_reported_on_the_other(numbers: Path, run: Any) -> None:
    service = FakeEvalService(is_reversed=only_good("rrf_k", 20))
    code, result = run(service, numbers, "--stages", "fusion")
    assert (code, result["finished"]) == (0, True)
    assert (result["best"]["fusion"], result["best"]["rrf_k"]) == ("rrf", 20)
    tune, held = halves(read_set(numbers), seed=0)
    assert {row["queries"] for row in result["stages"][0]["tried"]} == {len(tune.queries)}
    assert {row["queries"] for row in result["report"]} == {len(held.queries)}
    figures = {row["configuration"]: row["ndcg@10"]["mean"] for row in result["report"]}
    assert figures == {"dense": 0.0, "start": 0.0, "chosen, no rerank": 1.0, "chosen": 1.0}


def test_options_without_a_gain_are_not_chosen(numbers: Path, run: Any) -> None:
    _, result = run(FakeEvalService(), numbers, "--stages", "duplicates", "rerank")
    assert result["best"] == START


def test_a_stopped_sweep_can_be_resumed(numbers: Path, run: Any) -> None:
    service = FakeEvalService()
    code, result = run(service, numbers, "--stages", "duplicates", "--minutes", "0")
    assert (code, result["finished"], result["stages"]) == (3, False, [])
    assert run(service, numbers, "--stages", "duplicates")[0] == 0
    asked = len(service.seen)
    again = run(service, numbers, "--stages", "duplicates", "--minutes", "0")
    assert (again[0], len(service.seen)) == (0, asked)


def test_slow_stages_use_fewer_queries(numbers: Path, run: Any) -> None:
    _, result = run(FakeEvalService(), numbers, "--stages", "rerank", "--slow-queries", "5")
    assert {row["queries"] for row in result["stages"][0]["tried"]} == {5}


def test_other_sets_are_reported_on(numbers: Path, tmp_path: Path, run: Any) -> None:
    lines(tmp_path / "birds" / "corpus.jsonl", {"_id": "o", "text": "owl"}, {"_id": "g", "text": "gull"})
    lines(tmp_path / "birds" / "qa.jsonl", {"question": "owl", "gold_doc": "o"})
    _, result = run(FakeEvalService(), numbers, "--report", tmp_path / "birds", "--stages", "duplicates")
    assert [row["set"] for row in result["report"]] == ["numbers"] * 4 + ["birds"] * 4
    told = (tmp_path / "result" / "sweep.md").read_text()
    assert "| birds | 1 | chosen | 1.0000 (1.000-1.000)" in told
    assert "## Duplicates" in told


def test_stages_try_the_given_options_first() -> None:
    """Otherwise a stage without a sufficient gain would still change the options."""
    for stage in STAGES[3:]:
        assert stage.tries(START)[0] == START
    for stage in STAGES:
        assert any(tried == START for tried in stage.tries(START))


def test_exact_search_with_the_encoder_alone(numbers: Path) -> None:
    vectors = np.eye(COUNT, dtype=np.float32)
    figures = exact_search.evaluate(
        read_set(numbers), lambda texts: vectors[[int(re.findall(r"number(\d+)", text)[0]) for text in texts]]
    )
    assert figures["mrr@10"] == {f"q{i}": 1.0 for i in range(COUNT)}


def test_the_faq_of_milvus_becomes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "milvus-docs"
    lines(folder / "site" / "en" / "faq" / "faq.md", "# FAQ", "Is Docker needed? No.")
    lines(folder / "site" / "en" / milvus_docs.EXCLUDED, "# Repeats")
    gold = {"_id": "f", "question": "Is Docker needed?", "answer": "No.", "gold_file": "site/en/faq/faq.md"}
    lines(folder / "gold" / "faq_qa.jsonl", gold)
    assert milvus_docs.main([str(folder), str(tmp_path / "set")]) == 0
    found = read_set(tmp_path / "set")
    assert [document.doc_id for document in found.documents] == ["faq/faq.md"]
    assert found.relevant == {"f": {"faq/faq.md": 1}}
    assert found.questions[0].answers == ("No.",)
    assert milvus_docs.main([str(tmp_path / "nowhere"), str(tmp_path / "set")]) == 1
    assert "failed" in capsys.readouterr().err
