"""The figures and the table of `python -m bench`, and what it measures with; nothing here is timed."""

from __future__ import annotations

import io
import itertools
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from bench.answers import prefix
from bench.growth.curve import Curve
from bench.growth.plot import draw
from bench.load import Load, LoadAnswer
from bench.report import CellResult, ReportRow, as_json, compare, percentile, show, spread, summary, target, write
from bench.retrieval.ingest import sample_by_length
from bench.workload import Workload
from rag.upload import select_files


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [([5], 50, 5), ([1, 2, 3, 4], 50, 2), ([4, 3, 2, 1], 95, 4), (list(range(1, 101)), 95, 95), ([1, 2], 0, 1)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], q: float, expected: float) -> None:
    assert percentile(values, q) == expected


def test_no_values_have_no_percentile_and_no_mean() -> None:
    assert math.isnan(percentile([], 50))
    assert math.isnan(summary([])["mean"])


def test_spread_is_relative_to_the_mean() -> None:
    assert spread([9.0, 11.0]) == pytest.approx(0.2)
    assert spread([9.0]) == 0.0


@pytest.mark.parametrize(
    ("row", "is_met"),
    [
        (compare("c", "w", "tokens/s", 95, 100, at_least=0.95), True),
        (compare("c", "w", "tokens/s", 94, 100, at_least=0.95), False),
        (compare("c", "w", "s", 60, 50, at_most=1.15), False),
        (ReportRow("c", "w", "ms", 40.0, at_most=40), True),
        (ReportRow("c", "w", "ms", math.nan, at_most=40), False),
        (ReportRow("c", "w", "MiB", 1.0), None),
    ],
)
def test_the_target_applies_to_the_ratio_if_there_is_one(row: ReportRow, is_met: bool | None) -> None:
    assert row.is_met is is_met


def test_the_table_shows_the_ratio_the_target_and_the_note() -> None:
    out = io.StringIO()
    row = compare("stream", "throughput", "tokens/s", 190.0, 200.0, at_least=0.95, note="baseline noise 3%")
    show([row], Console(file=out, width=160))
    for text in ("throughput", "190", "200", "0.95", ">= 0.95", "yes", "baseline noise 3%"):
        assert text in out.getvalue()


def test_a_target_as_text() -> None:
    assert target(ReportRow("c", "w", "ms", 1.0, at_least=0.9, at_most=2)) == ">= 0.9 <= 2"


def test_json_has_versions_cpus_and_date_and_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "out" / "run.json"
    write(
        path,
        as_json({"c": CellResult([ReportRow("c", "w", "ms", math.nan)], {"steps": [1.23456789]})}, {"quick": True}),
    )
    found = json.loads(path.read_text())
    assert {"date", "cpus", "versions", "python", "quick"} <= set(found["about"])
    assert found["cells"]["c"]["rows"][0]["ours"] is None
    assert found["cells"]["c"]["details"] == {"steps": [1.2346]}


def test_failed_answers_count_neither_tokens_nor_time() -> None:
    good = LoadAnswer(first_token_s=0.5, total_s=1.0, tokens=10)
    load = Load(2, 2.0, [good, LoadAnswer(first_token_s=0.1, tokens=90, error="HTTP 500")])
    assert load.tokens_per_s == 5.0
    assert load.first_token_ms == [500.0]
    assert load.errors == ["HTTP 500"]


def test_a_sample_by_length_covers_all_lengths() -> None:
    texts = ["x" * length for length in range(100, 0, -1)]
    sample = sample_by_length(texts, 10)
    assert len(sample) == 10
    assert [len(text) for text in sample] == list(range(1, 100, 10))
    assert len(sample_by_length(texts, 1000)) == 100


def test_the_workload_has_the_passages_that_the_service_encodes(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Pears\n\nGreen pears are ripe.\n")
    workload = Workload(select_files([str(tmp_path)]).files, ["?"], tmp_path, quick=True)
    assert workload.passages() == ["Pears\n# Pears\n\nGreen pears are ripe."]


def test_an_emptied_data_folder_keeps_the_models(tmp_path: Path) -> None:
    workload = Workload([], ["?"], tmp_path)
    for name in ("milvus.db/part", "catalog.db", "catalog.db-wal", "jobs.db", "files/ab/blob", "models/m", "filled"):
        path = workload.data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    workload.empty()
    assert [path.name for path in workload.data_dir.iterdir()] == ["models"]


def _prefix_workload(folder: Path) -> Workload:
    (folder / "short.md").write_text("# Title\n\n## One\n\ntext\n")
    (folder / "long.md").write_text("".join(f"## Part {number}\n\ntext\n\n" for number in range(12)))
    questions = [f"question {number}" for number in range(50)]
    return Workload(select_files([str(folder)]).files, questions, folder)


def test_a_session_asks_about_one_document_and_each_turn_has_those_before_it(tmp_path: Path) -> None:
    turns = [call.body for call in prefix.session("http://service", _prefix_workload(tmp_path))]
    assert [turn["question"] for turn in turns[:2]] == [
        "What is said about Part 0?",
        "And what is said about Part 1?",
    ]
    assert [len(turn["history"]) for turn in turns] == list(range(0, 20, 2))
    for before, turn in itertools.pairwise(turns):
        assert turn["history"][: len(before["history"])] == before["history"]
        assert turn["history"][-2] == {"role": "user", "content": before["question"]}
        assert turn["history"][-1]["role"] == "assistant"


def test_a_day_asks_few_questions_often_and_is_equal_in_every_run(tmp_path: Path) -> None:
    workload = _prefix_workload(tmp_path)
    asked = [call.body["question"] for call in prefix.day("http://service", workload)]
    counts = {question: asked.count(question) for question in asked}
    assert len(asked) == 200
    assert set(asked) <= set(workload.questions[:40])
    assert max(counts, key=lambda question: counts[question]) == "question 0"
    assert asked == [call.body["question"] for call in prefix.day("http://service", workload)]


def test_the_cached_share_counts_tokens_not_requests() -> None:
    answers = [
        LoadAnswer(0.1, prompt_tokens=100, cached_tokens=96),
        LoadAnswer(0.1, prompt_tokens=300, cached_tokens=0),
        LoadAnswer(error="HTTP 500", prompt_tokens=1000, cached_tokens=1000),
    ]
    assert Load(1, 1.0, answers).cached_share == pytest.approx(0.24)
    assert Load(1, 1.0, []).cached_share == 0.0


def test_a_curve_is_a_table_and_a_plot(tmp_path: Path) -> None:
    curve = Curve("search", "chunks", [1_000, 100_000], {"p50, ms": [12.345, 1234.5], "CPU, ms": [3, 40]})
    assert curve.table().splitlines() == [
        "| chunks | p50, ms | CPU, ms |",
        "| --- | --- | --- |",
        "| 1,000 | 12.35 | 3 |",
        "| 100,000 | 1,234 | 40 |",
    ]
    draw([curve] * 3, tmp_path / "images" / "curves.svg")
    drawn = (tmp_path / "images" / "curves.svg").read_text()
    assert drawn.count('<g id="axes_') == 3
