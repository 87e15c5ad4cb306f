"""The search paths of one question run concurrently, against the same paths run one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from bench.report import CellResult, compare, summary
from bench.servers import bundle
from bench.workload import INSTANT_BUNDLE, Workload

CELL = "paths"
WARM_UP = 5


def run(workload: Workload) -> CellResult:
    workload.fill()
    questions = workload.take(40 if workload.quick else 120)
    with (
        bundle(workload.data_dir, workload.log(CELL), INSTANT_BUNDLE) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for question in questions[:WARM_UP]:
            _search_ms(client, question, "hybrid")
        concurrent, sequential = _search_times(client, questions)
    own, baseline = summary(concurrent), summary(sequential)
    rows = [compare(CELL, f"both paths, {p}", "ms", own[p], baseline[p]) for p in ("p50", "p95")]
    return CellResult(rows, {"concurrent_ms": own, "sequential_ms": baseline})


def _search_times(client: httpx.Client, questions: Sequence[str]) -> tuple[list[float], list[float]]:
    """Search time per question as the service reports it: hybrid, and the sum of dense and keyword."""
    concurrent, sequential = [], []
    for question in questions:
        concurrent.append(_search_ms(client, question, "hybrid"))
        sequential.append(_search_ms(client, question, "dense") + _search_ms(client, question, "keyword"))
    return concurrent, sequential


def _search_ms(client: httpx.Client, question: str, mode: str) -> float:
    response = client.post("/retrieve", json={"query": question, "mode": mode})
    timings: dict[str, Any] = response.raise_for_status().json()["timings_ms"]
    return float(timings["search"])
