"""The same folder ingested at each start, as in LazyLLM's tutorial: into an empty store, then into the existing one.

LazyLLM reports 15.3 s and then 1.8 s with Milvus, 17.7 s and then 17.3 s in memory.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.report import CellResult, ReportRow
from bench.servers import bundle
from bench.workload import INSTANT_BUNDLE, Workload

CELL = "restart"
THEIR_SECONDS = (15.3, 1.8)


@dataclass(frozen=True, slots=True)
class ServiceStart:
    ready_s: float
    """From the start of the process until it was ready."""
    ingest_s: float
    """From the first upload until all documents are searchable."""
    changes: Counter[str]
    """Number of files by the change that the service reports."""
    embedder_cpu_s: float
    """CPU seconds of the Embedder during ingest."""

    @property
    def total_s(self) -> float:
        return self.ready_s + self.ingest_s


def run(workload: Workload) -> CellResult:
    workload.empty()
    first = _start(workload, workload.log("restart-first"))
    second = _start(workload, workload.log("restart-second"))
    (workload.data_dir / "filled").touch()
    if set(second.changes) != {"unchanged"}:
        raise RuntimeError(
            f"ingesting the same files again should change nothing, but the service reported {second.changes}"
        )
    theirs = f"LazyLLM's tutorial: {THEIR_SECONDS[0]} s and {THEIR_SECONDS[1]} s"
    note = f"{_counts(first.changes)}, then {_counts(second.changes)}"
    encoding = f"encoder's CPU during ingest: {first.embedder_cpu_s:.1f} s, then {second.embedder_cpu_s:.2f} s"
    rows = [
        _row(
            "second ingest / first, service ready", second.ingest_s, first.ingest_s, f"{note}; {encoding}", at_most=0.1
        ),
        _row("second start and ingest / first", second.total_s, first.total_s, theirs),
        _row("start to ready, second / first", second.ready_s, first.ready_s),
    ]
    return CellResult(rows, {"first": _details(first), "second": _details(second), "files": len(workload.uploads)})


def _start(workload: Workload, log: Path) -> ServiceStart:
    with bundle(workload.data_dir, log, INSTANT_BUNDLE) as server:
        cpu_before, started = server.cpu_s(), time.perf_counter()
        files = workload.ingest(server)
        ingest_s, cpu_after = time.perf_counter() - started, server.cpu_s()
        embedder_cpu_s = cpu_after["Embedder"] - cpu_before["Embedder"]
        return ServiceStart(server.ready_s, ingest_s, Counter(str(file["change"]) for file in files), embedder_cpu_s)


def _row(what: str, second_s: float, first_s: float, note: str = "", *, at_most: float | None = None) -> ReportRow:
    return ReportRow(CELL, what, "s", second_s, first_s, second_s / first_s, at_most=at_most, note=note)


def _counts(changes: Counter[str]) -> str:
    return ", ".join(f"{count} {change}" for change, count in changes.most_common())


def _details(start: ServiceStart) -> dict[str, object]:
    return {
        "ready_s": start.ready_s,
        "ingest_s": start.ingest_s,
        "changes": dict(start.changes),
        "embedder_cpu_s": start.embedder_cpu_s,
    }
