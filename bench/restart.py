"""The same folder fed at each start, as LazyLLM's tutorial does: into an empty store, and into the one that is there.

Their table: 15.3 s and then 1.8 s with Milvus, 17.7 s and then 17.3 s in memory.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.job import INSTANT, PeerJob
from bench.report import CellResult, ReportRow
from bench.servers import bundle

CELL = "restart"
THEIR_SECONDS = (15.3, 1.8)


@dataclass(frozen=True, slots=True)
class Start:
    ready_s: float
    """From the start of the process until it was ready."""
    feed_s: float
    """From the first upload until all was searchable."""
    changes: Counter[str]
    """Files, by what the service did with them."""
    embedder_cpu_s: float
    """While it was fed."""

    @property
    def total_s(self) -> float:
        return self.ready_s + self.feed_s


def run(job: PeerJob) -> CellResult:
    job.empty()
    first = _start(job, job.log("restart-first"))
    second = _start(job, job.log("restart-second"))
    (job.data_dir / "filled").touch()
    if set(second.changes) != {"unchanged"}:
        raise RuntimeError(f"the same files were fed again, and the service did this with them: {second.changes}")
    theirs = f"LazyLLM's tutorial: {THEIR_SECONDS[0]} s and {THEIR_SECONDS[1]} s"
    note = f"{_words(first.changes)}, then {_words(second.changes)}"
    encoding = f"encoder's CPU while fed: {first.embedder_cpu_s:.1f} s, then {second.embedder_cpu_s:.2f} s"
    rows = [
        _row("second feed / first, service ready", second.feed_s, first.feed_s, f"{note}; {encoding}", at_most=0.1),
        _row("second start and feed / first", second.total_s, first.total_s, theirs),
        _row("start to ready, second / first", second.ready_s, first.ready_s),
    ]
    return CellResult(rows, {"first": _details(first), "second": _details(second), "files": len(job.uploads)})


def _start(job: PeerJob, log: Path) -> Start:
    with bundle(job.data_dir, log, INSTANT) as server:
        cpu_before, started = server.cpu_s(), time.perf_counter()
        files = job.ingest(server)
        feed_s, cpu_after = time.perf_counter() - started, server.cpu_s()
        embedder_cpu_s = cpu_after["Embedder"] - cpu_before["Embedder"]
        return Start(server.ready_s, feed_s, Counter(str(file["change"]) for file in files), embedder_cpu_s)


def _row(what: str, second_s: float, first_s: float, note: str = "", *, at_most: float | None = None) -> ReportRow:
    return ReportRow(CELL, what, "s", second_s, first_s, second_s / first_s, at_most=at_most, note=note)


def _words(changes: Counter[str]) -> str:
    return ", ".join(f"{count} {change}" for change, count in changes.most_common())


def _details(start: Start) -> dict[str, object]:
    return {
        "ready_s": start.ready_s,
        "feed_s": start.feed_s,
        "changes": dict(start.changes),
        "embedder_cpu_s": start.embedder_cpu_s,
    }
