"""`python -m rag eval`, from the command line to the files that it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evals.harness.reports import plots
from rag.cli import main
from rag.cli.service_client import CliContext
from rag.types import JsonObject
from tests.fakes.services.eval_service import FakeEvalService

COUNT = 12
PNG = b"\x89PNG"


def lines(path: Path, *rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes half a second a run; `test_plots_and_tables_are_written` undoes this."""
    monkeypatch.setattr(plots, "draw", lambda _results, _folder: [])


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A document for each query, and one more that is relevant to none."""
    folder = tmp_path / "numbers"
    lines(folder / "corpus.jsonl", *({"_id": f"d{i}", "text": f"number{i} is here"} for i in range(COUNT + 1)))
    lines(folder / "queries.jsonl", *({"_id": f"q{i}", "text": f"Where is number{i}"} for i in range(COUNT)))
    lines(folder / "qrels.tsv", "query-id\tcorpus-id\tscore", *(f"q{i}\td{i}\t1" for i in range(COUNT)))
    return folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    folder = tmp_path / "questions"
    lines(folder / "docs" / "owl.txt", "An owl turns its head by 270 degrees")
    lines(folder / "docs" / "gull.txt", "A gull drinks salt water")
    rows: list[JsonObject] = [
        {"_id": "a", "question": "What drinks salt water", "answers": ["a gull"], "gold_doc": "gull.txt"},
        {"_id": "b", "question": "By how many degrees turns an owl its head", "answers": ["270"]},
        {"_id": "u", "question": "Which colour has blood", "unanswerable": True},
    ]
    lines(folder / "qa.jsonl", *rows)
    return folder


def run(service: FakeEvalService, *arguments: object) -> Result:
    world = CliContext(service.transport, sleep_with=lambda _: None)
    return CliRunner().invoke(main, ["eval", *map(str, arguments)], obj=world, catch_exceptions=False)


def read(folder: Path) -> JsonObject:
    report: JsonObject = json.loads((folder / "report.json").read_text())
    return report


# --- documents -------------------------------------------------------------------------------


def test_a_second_run_reuses_the_vector_store(numbers: Path, tmp_path: Path) -> None:
    service = FakeEvalService(looks=3)
    for number in range(2):
        result = run(service, numbers, "--out", tmp_path / f"out{number}")
        assert result.exit_code == 0, result.output
    (store,) = service.stores.values()
    assert store["name"].startswith("eval-numbers-")
    assert store["chunking_strategy"]["recursive"]["overlap_chars"] == 0
    assert service.asked("POST /ingest") == [sorted(f"d{i}.txt" for i in range(COUNT + 1))]
    assert service.texts[store["id"]]["d3.txt"] == "number3 is here"
    stores = [read(tmp_path / f"out{number}")["sets"]["numbers"]["vector_store"] for number in range(2)]
    assert stores[1] == {**stores[0], "ingest_s": 0.0}


def test_other_documents_or_chunking_need_another_store(numbers: Path, tmp_path: Path) -> None:
    service, out = FakeEvalService(), tmp_path / "out"
    run(service, numbers, "--out", out)
    run(service, numbers, "--out", out, "--chunking", "sentences")
    lines(numbers / "corpus.jsonl", *({"_id": f"d{i}", "text": f"number{i} is there"} for i in range(COUNT)))
    run(service, numbers, "--out", out)
    assert len(service.stores) == 3


def test_fresh_rebuilds_the_store(numbers: Path, tmp_path: Path) -> None:
    service = FakeEvalService()
    run(service, numbers, "--out", tmp_path / "out")
    run(service, numbers, "--out", tmp_path / "out", "--fresh")
    assert list(service.stores) == ["vs_2"]
    assert len(service.asked("POST /ingest")) == 2


def test_an_unreadable_document_ends_the_run(numbers: Path, tmp_path: Path) -> None:
    result = run(FakeEvalService(unreadable=frozenset({"d3.txt"})), numbers, "--out", tmp_path / "out")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "numbers: unreadable documents: d3.txt: it is broken",
    )


def test_foreign_documents_in_the_store_end_the_run(numbers: Path, tmp_path: Path) -> None:
    service = FakeEvalService()
    run(service, numbers, "--out", tmp_path / "out")
    service.texts["vs_1"]["else.txt"] = "not of the set"
    result = run(service, numbers, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "--fresh" in result.stderr


# --- runs ------------------------------------------------------------------------------------


def test_retrieval_is_measured_for_each_configuration(numbers: Path, tmp_path: Path) -> None:
    service = FakeEvalService(is_reversed=lambda body: body.get("mode") == "keyword")
    bad = '{"mode": "keyword", "top_k": 10, "retrieval": {"candidates": 50}}'
    result = run(service, numbers, "--out", tmp_path / "out", "--config", "good={}", "--config", f"bad={bad}")
    assert result.exit_code == 0, result.output
    report = read(tmp_path / "out")["sets"]["numbers"]
    good, bad_one = (report["configurations"][name]["retrieval"] for name in ("good", "bad"))
    assert good["metrics"]["ndcg@10"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": COUNT}
    assert good["per_query"]["mrr@10"] == {f"q{i}": 1.0 for i in range(COUNT)}
    assert bad_one["metrics"]["ndcg@10"]["value"] == 0.0
    assert "recall@100" not in bad_one["metrics"]
    assert good["latency_ms"]["n"] == COUNT
    assert report["texts"]["q1"] == "Where is number1"
    assert good["hits"]["q1"][0]["document"] == next(iter(report["relevant"]["q1"]))
    store = next(iter(service.stores))
    bodies = service.asked("POST /retrieve")
    body = {"vector_store": store, "query": "Where is number11"}
    wanted = {"mode": "keyword", "top_k": 10, "retrieval": {"candidates": 50}}
    asked = [each for each in bodies if each["query"] == body["query"]]  # several are asked at the same time
    assert asked == [{**body, "top_k": 100}, {**body, **wanted}]
    assert "0.000 (0.000-0.000)" in result.stdout


def test_answers_and_abstention_are_measured(questions: Path, tmp_path: Path) -> None:
    service = FakeEvalService(answers={"What drinks salt water": "The gull [1]."})
    config = '{"mode": "dense", "top_k": 2, "max_tokens": 9, "retrieval": {"min_cosine": 0.1}}'
    result = run(service, questions, "--out", tmp_path / "out", "--config", f"dense={config}")
    assert result.exit_code == 0, result.output
    found = read(tmp_path / "out")["sets"]["questions"]["configurations"]["dense"]
    figures = found["answers"]["per_query"]
    assert figures["exact_match"] == {"a": 1.0, "b": 0.0}
    assert figures["contains"] == {"a": 1.0, "b": 1.0}
    assert (figures["abstained"], figures["answered"]) == ({"u": 1.0}, {"a": 1.0, "b": 1.0})
    assert figures["cited"] == {"a": 1.0, "b": 1.0}
    assert found["answers"]["given"]["u"]["finish_reason"] == "no_sources"
    assert found["answers"]["given"]["u"]["question"] == "Which colour has blood"
    assert found["answers"]["latency_ms"]["n"] == found["answers"]["first_token_ms"]["n"] == 3
    assert found["abstention"]["auroc"] == found["confidence"]["auroc"] == 1.0
    assert found["abstention"]["best_cosines"]["u"] == 0.0
    (asked, *_) = service.asked("POST /ask")
    assert asked == {
        "vector_store": "vs_1",
        "question": "What drinks salt water",
        "top_k": 2,
        "max_tokens": 9,
        "temperature": 0.0,
        "seed": 0,
        "retrieval": {"min_cosine": 0.1, "mode": "dense"},
    }
    looks = [body for body in service.asked("POST /retrieve") if body.get("explain")]
    assert len(looks) == 3
    assert all("max_tokens" not in body for body in looks)


def test_no_answers_does_not_call_the_language_model(questions: Path, tmp_path: Path) -> None:
    service = FakeEvalService()
    assert run(service, questions, "--out", tmp_path / "out", "--no-answers").exit_code == 0
    assert not service.asked("POST /ask")
    result = read(tmp_path / "out")["sets"]["questions"]["configurations"]["service"]
    assert (result["answers"], result["retrieval"]["metrics"]["mrr@10"]["n"]) == (None, 1)


def test_plots_and_tables_are_written(questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    run(FakeEvalService(), questions, "--out", tmp_path / "out")
    pictures = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    drawn = ("abstention", "answers", "answers_latency", "retrieval", "retrieval_latency")
    assert pictures == [f"{name}.png" for name in drawn]
    assert all((tmp_path / "out" / name).read_bytes().startswith(PNG) for name in pictures)
    text = (tmp_path / "out" / "report.md").read_text()
    assert all(f"]({name})" in text for name in pictures)
    assert "| questions | service | 3 |" in text


def test_queries_limits_the_queries_of_each_set(numbers: Path, tmp_path: Path) -> None:
    service = FakeEvalService()
    run(service, numbers, "--out", tmp_path / "out", "--queries", "5")
    assert len(service.asked("POST /retrieve")) == 5
    assert len(service.texts["vs_1"]) == COUNT + 1


def test_cached_responses_are_not_timed(numbers: Path, tmp_path: Path) -> None:
    run(FakeEvalService(cached=True), numbers, "--out", tmp_path / "out")
    found = read(tmp_path / "out")["sets"]["numbers"]["configurations"]["service"]["retrieval"]
    assert (found["latency_ms"], found["not_timed"], found["metrics"]["ndcg@10"]["value"]) == (None, COUNT, 1.0)


def test_retried_requests_are_not_timed(numbers: Path, tmp_path: Path) -> None:
    assert run(FakeEvalService(busy=3), numbers, "--out", tmp_path / "out", "--concurrency", "1").exit_code == 0
    found = read(tmp_path / "out")["sets"]["numbers"]["configurations"]["service"]["retrieval"]
    assert (found["not_timed"], found["latency_ms"]["n"]) == (1, COUNT - 1)
    assert found["metrics"]["ndcg@10"]["n"] == COUNT


def test_json_prints_the_whole_report(numbers: Path, tmp_path: Path) -> None:
    result = run(FakeEvalService(), numbers, "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout) == {**read(tmp_path / "out"), "comparison": None}
    assert result.stderr == ""


def test_a_search_that_times_out_is_not_retried(numbers: Path, tmp_path: Path) -> None:
    service = FakeEvalService(busy=1, busy_with=504)
    result = run(service, numbers, "--out", tmp_path / "out", "--concurrency", "1")
    assert (result.exit_code, "the engine is starting" in result.stderr) == (1, True)


# --- regression check --------------------------------------------------------------------------


@pytest.fixture
def baseline(numbers: Path, tmp_path: Path) -> Path:
    run(FakeEvalService(), numbers, "--out", tmp_path / "before")
    return tmp_path / "before" / "report.json"


def test_no_loss_is_no_error(numbers: Path, baseline: Path, tmp_path: Path) -> None:
    result = run(FakeEvalService(), numbers, "--out", tmp_path / "out", "--compare", baseline)
    assert result.exit_code == 0
    assert "No significant loss." in result.stdout
    assert result.stderr.count("note:") == 0


def test_a_significant_loss_is_an_error(numbers: Path, baseline: Path, tmp_path: Path) -> None:
    worse = FakeEvalService(is_reversed=lambda body: body["query"] > "Where is number10")
    result = run(worse, numbers, "--out", tmp_path / "out", "--compare", baseline)
    assert result.exit_code == 1
    assert "significant losses: numbers service ndcg@10 (-" in result.stderr
    assert "LOSS" in result.stdout


def test_a_loss_by_chance_is_no_error(numbers: Path, baseline: Path, tmp_path: Path) -> None:
    worse = FakeEvalService(is_reversed=lambda body: body["query"] in ("Where is number1", "Where is number2"))
    result = run(worse, numbers, "--out", tmp_path / "out", "--compare", baseline, "--json")
    assert result.exit_code == 0
    rows = {row["metric"]: row for row in json.loads(result.stdout)["comparison"]["differences"]}
    assert rows["ndcg@10"]["after"] < rows["ndcg@10"]["before"]
    assert rows["ndcg@10"]["p"] == pytest.approx(0.25)


def test_differences_from_the_baseline_are_noted(
    numbers: Path, questions: Path, baseline: Path, tmp_path: Path
) -> None:
    lines(numbers / "corpus.jsonl", *({"_id": f"d{i}", "text": f"number{i} is there"} for i in range(COUNT)))
    config = '{"retrieval": {"candidates": 9}}'
    arguments = ["--no-answers", "--out", tmp_path / "out", "--config", f"service={config}", "--config", "new={}"]
    result = run(FakeEvalService(), numbers, questions, *arguments, "--compare", baseline)
    notes = [line.removeprefix("note: ") for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert result.exit_code == 0
    assert notes == [
        "numbers: its documents or their chunking differ from the baseline",
        "numbers, service: the options differ from the baseline",
        "numbers: the baseline has no configuration new",
        "questions is not in the baseline",
    ]


def test_a_baseline_with_nothing_in_common_is_an_error(questions: Path, baseline: Path, tmp_path: Path) -> None:
    result = run(FakeEvalService(), questions, "--no-answers", "--out", tmp_path / "out", "--compare", baseline)
    assert (result.exit_code, "nothing to compare" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("{\n]", ":2: invalid JSON"),
        ("[]", "not an evaluation report"),
        ('{"format": 99, "sets": {}}', "format 99 is not supported"),
    ],
)
def test_a_baseline_that_cannot_be_read(numbers: Path, tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "baseline.json"
    if content is not None:
        path.write_text(content)
    service = FakeEvalService()
    result = run(service, numbers, "--out", tmp_path / "out", "--compare", path)
    assert (result.exit_code, message in result.stderr) == (2, True)
    assert not service.seen, "nothing is measured in vain"


# --- missing packages -------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "package"), [("pytrec_eval", "pytrec_eval-terrier"), ("matplotlib", "matplotlib")])
def test_a_missing_package_is_named(numbers: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    service = FakeEvalService()
    result = run(service, numbers)
    assert (result.exit_code, service.seen) == (2, [])
    assert f"pip install {package}" in result.stderr


def test_a_missing_harness_is_named(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evals.harness", None)
    result = run(FakeEvalService(), numbers)
    assert result.exit_code == 1
    assert "evals/harness" in result.stderr


# --- invalid input ---------------------------------------------------------------------------


def test_an_invalid_set_is_reported_before_anything_is_sent(numbers: Path, tmp_path: Path) -> None:
    lines(numbers / "qrels.tsv", "query-id\tcorpus-id\tscore", "q1\tnowhere\t1")
    service = FakeEvalService()
    result = run(service, numbers, "--out", tmp_path / "out")
    assert (result.exit_code, service.seen) == (2, [])
    assert f"{numbers}/qrels.tsv:2: unknown document nowhere" in result.stderr


def test_options_that_the_service_rejects_exit_with_2(numbers: Path, tmp_path: Path) -> None:
    result = run(FakeEvalService(), numbers, "--out", tmp_path / "out", "--config", 'x={"nonsense": 1}')
    assert (result.exit_code, "nonsense: is not a field of this request" in result.stderr) == (2, True)


@pytest.mark.parametrize("config", ["dense", "={}", "dense=[1]", "dense={"])
def test_a_configuration_is_a_name_and_an_object(numbers: Path, config: str) -> None:
    assert run(FakeEvalService(), numbers, "--config", config).exit_code == 2


def test_reserved_fields_cannot_be_configured(numbers: Path) -> None:
    result = run(FakeEvalService(), numbers, "--config", 'x={"query": "y"}')
    assert (result.exit_code, "cannot set query" in result.stderr) == (2, True)


def test_two_sets_with_the_same_name(numbers: Path) -> None:
    result = run(FakeEvalService(), numbers, numbers)
    assert (result.exit_code, "two sets are named numbers" in result.stderr) == (2, True)


def test_an_answer_stream_that_ends_early_ends_the_run(questions: Path, tmp_path: Path) -> None:
    result = run(FakeEvalService(breaks_off=True), questions, "--out", tmp_path / "out")
    assert (result.exit_code, "the answer stream ended early" in result.stderr) == (1, True)
