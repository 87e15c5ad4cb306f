"""`POST /retrieve` uncached, repeated, and reworded (semantic cache); one user.

Each comparison starts its own service: with the semantic cache on, few questions are ever uncached.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from bench.report import CellResult, ReportRow, compare, summary
from bench.servers import bundle
from bench.workload import INSTANT_BUNDLE, Workload

CELL = "cached"
WARM_UP = ("Is anybody there?", "Can you hear me?", "Shall we begin?")
REPEATS = 5
"""How often each question is repeated."""
SEMANTIC_THRESHOLD = 0.95
"""Cosine at or above which two questions share a cache entry."""


@dataclass(slots=True)
class CachedLatencies:
    milliseconds: list[float] = field(default_factory=list)
    """Measured by the client."""
    inside_ms: list[float] = field(default_factory=list)
    """Cache lookup time as the service reports it; cache hits only."""

    @property
    def hit_rate(self) -> float:
        """Share of answers that came from the cache."""
        return len(self.inside_ms) / len(self.milliseconds)

    def details(self) -> dict[str, object]:
        return {"seen_ms": summary(self.milliseconds), "inside_ms": summary(self.inside_ms), "cached": self.hit_rate}


def run(workload: Workload) -> CellResult:
    workload.fill()
    questions = list(dict.fromkeys(workload.take(40 if workload.quick else 120)))
    cold, warm = _cold_and_warm(workload, questions, list(questions) * REPEATS, "cached-equal")
    _, alike = _cold_and_warm(
        workload,
        questions,
        [_reworded(q) for q in questions],
        "cached-alike",
        RAG_CACHE__SEMANTIC=str(SEMANTIC_THRESHOLD),
    )
    if cold.hit_rate:
        raise RuntimeError("some first-time questions were answered from the cache: the figures would be meaningless")
    rows = [
        _row("repeated / uncached", warm, cold, at_most=0.5),
        _row("reworded / uncached", alike, cold),
        ReportRow(CELL, "cache hit, p50, inside the service", "ms", summary(warm.inside_ms)["p50"]),
    ]
    parts = {"cold": cold, "warm": warm, "alike": alike}
    return CellResult(rows, {name: part.details() for name, part in parts.items()})


def _cold_and_warm(
    workload: Workload, first: Sequence[str], then: Sequence[str], log: str, **environment: str
) -> tuple[CachedLatencies, CachedLatencies]:
    """Latencies of the first questions and of the following ones, in a newly started service."""
    with (
        bundle(
            workload.data_dir, workload.log(log), INSTANT_BUNDLE, RAG_CACHE__RETRIEVALS="true", **environment
        ) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        _ask(client, WARM_UP)
        return _ask(client, first), _ask(client, then)


def _ask(client: httpx.Client, questions: Sequence[str]) -> CachedLatencies:
    answers = CachedLatencies()
    for question in questions:
        started = time.perf_counter()
        response = client.post("/retrieve", json={"query": question}).raise_for_status()
        answers.milliseconds.append((time.perf_counter() - started) * 1000)
        if "cached" in (timings := response.json()["timings_ms"]):
            answers.inside_ms.append(timings["cached"])
    return answers


def _reworded(question: str) -> str:
    """The same question with another wording."""
    return f"{question.rstrip('?. ')}, please?"


def _row(what: str, ours: CachedLatencies, cold: CachedLatencies, *, at_most: float | None = None) -> ReportRow:
    own, baseline = summary(ours.milliseconds), summary(cold.milliseconds)
    note = f"{ours.hit_rate:.0%} of {own['n']:.0f} were cache hits; p95 {own['p95']:.1f} / {baseline['p95']:.1f} ms"
    return compare(CELL, f"one question, p50, {what}", "ms", own["p50"], baseline["p50"], at_most=at_most, note=note)
