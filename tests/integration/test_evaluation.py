"""The evaluation command. The floors are far below today's metrics and above chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.evaluating import OWN_DOCS, evaluate, read
from tests.e2e.running import ROOT, RunningService
from tests.support.servers.service_without_engine import engineless_service

# tests/e2e/test_evaluation.py is the short form.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900), pytest.mark.long]

NANO = ROOT.parent / "shared" / "data" / "scifact_nano"
DENSE = 'dense={"mode": "dense"}'
HYBRID = "hybrid={}"
FINDS_NOTHING = 'hybrid={"filters": {"type": "eq", "key": "filename", "value": "no-such-file.md"}}'


@pytest.fixture(scope="module")
def service(language_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with engineless_service(tmp_path_factory.mktemp("evaluation"), language_model) as running:
        yield running


@pytest.fixture(scope="module")
def own_docs(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an evaluation on the project's own documents, without the language model."""
    folder = tmp_path_factory.mktemp("own_docs")
    done = evaluate(service, folder, OWN_DOCS, "--no-answers", "--config", DENSE, "--config", HYBRID)
    assert done.returncode == 0, done.stderr
    assert "own_docs" in done.stdout
    return folder


@pytest.mark.parametrize(("config", "floor"), [("hybrid", 0.8), ("dense", 0.75)])
def test_the_metrics_of_the_own_documents_are_above_their_floors(own_docs: Path, config: str, floor: float) -> None:
    means = read(own_docs, "own_docs", config)["retrieval"]["metrics"]
    assert means["ndcg@10"]["value"] >= floor
    assert means["mrr@10"]["value"] >= floor - 0.05
    assert means["ndcg@10"]["low"] < means["ndcg@10"]["value"] <= means["ndcg@10"]["high"]


def test_unanswerable_questions_are_recognized(own_docs: Path) -> None:
    abstention = read(own_docs, "own_docs", "hybrid")["abstention"]
    assert abstention["auroc"] >= 0.85
    assert abstention["best"]["abstained"] + abstention["best"]["answered"] >= 1.6


def test_a_comparison_reports_significant_losses_only(service: RunningService, own_docs: Path, tmp_path: Path) -> None:
    options = (OWN_DOCS, "--no-answers", "--compare", own_docs / "report.json")
    same = evaluate(service, tmp_path / "same", *options, "--config", HYBRID)
    assert (same.returncode, same.stderr.count("note:")) == (0, 0), same.stdout + same.stderr
    worse = evaluate(service, tmp_path / "worse", *options, "--config", FINDS_NOTHING)
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert "significant losses: own_docs hybrid ndcg@10" in worse.stderr


@pytest.mark.skipif(not NANO.is_dir(), reason="scifact_nano is not in ../shared/data")
def test_dense_search_is_as_good_as_exact_search(service: RunningService, tmp_path: Path) -> None:
    """Exact search over all-MiniLM-L6-v2's vectors, one for each abstract, has an nDCG@10 of 0.658. Vectors in bfloat16
    may exchange two neighbours, which is up to 0.0074 for one of 50 questions.
    """
    done = evaluate(service, tmp_path, NANO, "--config", DENSE, timeout_s=880)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path, "scifact_nano", "dense")["retrieval"]["metrics"]["ndcg@10"]["value"] == (
        pytest.approx(0.658, abs=0.008)
    )
