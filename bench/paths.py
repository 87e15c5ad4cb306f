"""The search paths of one question side by side, against one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from bench.job import INSTANT, PeerJob
from bench.report import CellResult, summary, versus
from bench.servers import bundle

CELL = "paths"
WARM_UP = 5


def run(job: PeerJob) -> CellResult:
    job.fill()
    questions = job.take(40 if job.quick else 120)
    with (
        bundle(job.data_dir, job.log(CELL), INSTANT) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for question in questions[:WARM_UP]:
            _search_ms(client, question, "hybrid")
        together, after = _asked(client, questions)
    own, floor = summary(together), summary(after)
    rows = [versus(CELL, f"both paths, {p}", "ms", own[p], floor[p]) for p in ("p50", "p95")]
    return CellResult(rows, {"together_ms": own, "one_after_the_other_ms": floor})


def _asked(client: httpx.Client, questions: Sequence[str]) -> tuple[list[float], list[float]]:
    """What the searches of each question took, as the service says: hybrid, and dense plus keyword."""
    together, after = [], []
    for question in questions:
        together.append(_search_ms(client, question, "hybrid"))
        after.append(_search_ms(client, question, "dense") + _search_ms(client, question, "keyword"))
    return together, after


def _search_ms(client: httpx.Client, question: str, mode: str) -> float:
    response = client.post("/retrieve", json={"query": question, "mode": mode})
    timings: dict[str, Any] = response.raise_for_status().json()["timings_ms"]
    return float(timings["search"])
