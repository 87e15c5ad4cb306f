"""`POST /retrieve` asked for the first time, again, and in other words that mean the same; one user.

Each comparison has a service of its own: where questions that mean the same count as one, few are ever cold.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from bench.job import INSTANT, PeerJob
from bench.report import CellResult, ReportRow, summary, versus
from bench.servers import bundle

CELL = "cached"
WARM_UP = ("Is anybody there?", "Can you hear me?", "Shall we begin?")
AGAIN = 5
"""Times that each question is asked again."""
ALIKE = 0.95
"""Cosine from which questions count as the same."""


@dataclass(slots=True)
class CachedLatencies:
    milliseconds: list[float] = field(default_factory=list)
    """As the client saw them."""
    inside_ms: list[float] = field(default_factory=list)
    """What the service says that finding a kept result took; only of those that were kept."""

    @property
    def share(self) -> float:
        """Of the answers that were kept ones."""
        return len(self.inside_ms) / len(self.milliseconds)

    def details(self) -> dict[str, object]:
        return {"seen_ms": summary(self.milliseconds), "inside_ms": summary(self.inside_ms), "cached": self.share}


def run(job: PeerJob) -> CellResult:
    job.fill()
    questions = list(dict.fromkeys(job.take(40 if job.quick else 120)))
    cold, warm = _asked(job, questions, list(questions) * AGAIN, "cached-equal")
    _, alike = _asked(job, questions, [_reworded(q) for q in questions], "cached-alike", RAG_CACHE__SEMANTIC=str(ALIKE))
    if cold.share:
        raise RuntimeError("some questions were known before they were asked: the figures would mean nothing")
    rows = [
        _row("asked again / first", warm, cold, at_most=0.5),
        _row("in other words / first", alike, cold),
        ReportRow(CELL, "a kept result, p50, inside the service", "ms", summary(warm.inside_ms)["p50"]),
    ]
    parts = {"cold": cold, "warm": warm, "alike": alike}
    return CellResult(rows, {name: part.details() for name, part in parts.items()})


def _asked(
    job: PeerJob, first: Sequence[str], then: Sequence[str], log: str, **environment: str
) -> tuple[CachedLatencies, CachedLatencies]:
    """What the questions took in a new service, and what the ones behind them did."""
    with (
        bundle(job.data_dir, job.log(log), INSTANT, RAG_CACHE__RETRIEVALS="true", **environment) as server,
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
    """Another text, and no other question."""
    return f"{question.rstrip('?. ')}, please?"


def _row(what: str, ours: CachedLatencies, cold: CachedLatencies, *, at_most: float | None = None) -> ReportRow:
    own, floor = summary(ours.milliseconds), summary(cold.milliseconds)
    note = f"{ours.share:.0%} of {own['n']:.0f} were kept; p95 {own['p95']:.1f} / {floor['p95']:.1f} ms"
    return versus(CELL, f"one question, p50, {what}", "ms", own["p50"], floor["p50"], at_most=at_most, note=note)
