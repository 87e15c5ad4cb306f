"""Evaluation, as its users run it, on the real service. The floors are far below what is seen, and above luck."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import ROOT, RunningService

OWN_DOCS = ROOT / "evals" / "sets" / "own_docs"
NANO = ROOT.parent / "shared" / "data" / "scifact_nano"
DENSE = 'dense={"mode": "dense"}'
HYBRID = "hybrid={}"
BROKEN = 'hybrid={"filters": {"type": "eq", "key": "filename", "value": "commands.md"}}'


def evaluate(
    service: RunningService, folder: Path, *arguments: object, timeout_s: float = 280
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rag", "eval", "--url", service.url, "--out", folder, *arguments]
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=timeout_s)


def read(folder: Path, set_name: str, config: str) -> dict[str, Any]:
    report = json.loads((folder / "report.json").read_text())
    found: dict[str, Any] = report["sets"][set_name]["configurations"][config]
    return found


@pytest.fixture(scope="module")
def own_docs(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was measured on the project's own papers, without the language model."""
    folder = tmp_path_factory.mktemp("own_docs")
    done = evaluate(service, folder, OWN_DOCS, "--no-answers", "--config", DENSE, "--config", HYBRID)
    assert done.returncode == 0, done.stderr
    assert "own_docs" in done.stdout
    return folder


@pytest.mark.parametrize(("config", "floor"), [("hybrid", 0.8), ("dense", 0.75)])
def test_the_own_papers_are_found(own_docs: Path, config: str, floor: float) -> None:
    means = read(own_docs, "own_docs", config)["retrieval"]["metrics"]
    assert means["ndcg@10"]["value"] >= floor
    assert means["mrr@10"]["value"] >= floor - 0.05
    assert means["ndcg@10"]["low"] < means["ndcg@10"]["value"] <= means["ndcg@10"]["high"]


def test_what_is_not_in_the_papers_is_known(own_docs: Path) -> None:
    found = read(own_docs, "own_docs", "hybrid")["abstention"]
    assert found["auroc"] >= 0.85
    assert found["best"]["abstained"] + found["best"]["answered"] >= 1.6


def test_a_loss_is_told_and_only_a_loss(service: RunningService, own_docs: Path, tmp_path: Path) -> None:
    common = (OWN_DOCS, "--no-answers", "--compare", own_docs / "report.json")
    same = evaluate(service, tmp_path / "same", *common, "--config", HYBRID)
    assert (same.returncode, same.stderr.count("note:")) == (0, 0), same.stdout + same.stderr
    worse = evaluate(service, tmp_path / "worse", *common, "--config", BROKEN)
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert "significant losses: own_docs hybrid ndcg@10" in worse.stderr


def test_answers_are_measured(service: RunningService, tmp_path: Path) -> None:
    done = evaluate(service, tmp_path, OWN_DOCS, "--queries", "6", "--seed", "1")
    assert done.returncode == 0, done.stderr
    found = read(tmp_path, "own_docs", "service")["answers"]
    assert {"abstained", "answered"} <= set(found["metrics"])
    assert all(answer["text"] for answer in found["given"].values())
    assert (tmp_path / "answers.png").stat().st_size > 1000


@pytest.mark.timeout(900)
@pytest.mark.skipif(not NANO.is_dir(), reason="scifact_nano is not in ../shared/data")
def test_dense_search_finds_what_the_bare_encoder_finds(service: RunningService, tmp_path: Path) -> None:
    """Exact search over all-MiniLM-L6-v2's vectors, one for each abstract, has an nDCG@10 of 0.658."""
    done = evaluate(service, tmp_path, NANO, "--config", DENSE, timeout_s=880)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path, "scifact_nano", "dense")["retrieval"]["metrics"]["ndcg@10"]["value"] == (
        pytest.approx(0.658, abs=0.003)
    )
