"""`POST /ingest`, as the command line calls it, against the encoder alone on the same passages sorted by length."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import CellResult, ReportRow, compare, spread
from bench.servers import bundle, run_json
from bench.workload import INSTANT_BUNDLE, Workload
from rag import config
from rag.adapters import model_files

CELL = "ingest"
MODULE = "bench.retrieval.library_baseline"
BATCH = 32
"""Default of sentence-transformers."""
BASELINE_PASSAGES = 1500
"""The baseline encodes at most about this many passages, sampled over all lengths, to bound its time."""


@dataclass(frozen=True, slots=True)
class EncodingRate:
    """Throughput and CPU cost of one run over many chunks."""

    chunks: int
    seconds: float
    cpu_s: float
    """CPU seconds of all processes involved."""

    @property
    def rate(self) -> float:
        return self.chunks / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per chunk."""
        return self.cpu_s * 1000 / self.chunks


def run(workload: Workload) -> CellResult:
    passages = workload.passages()
    sample = sample_by_length(passages, BASELINE_PASSAGES)
    before = encoder_rate(sample)
    ours, by_process = _ingest(workload)
    after = encoder_rate(sample)
    if ours.chunks != len(passages):
        raise RuntimeError(f"the service made {ours.chunks} chunks, the encoder was given {len(passages)}")
    baselines = [before, after]
    note = f"{ours.chunks} chunks; baseline noise {spread([baseline.rate for baseline in baselines]):.0%}"
    rate, cpu = (statistics.fmean(values) for values in zip(*((b.rate, b.cpu_ms) for b in baselines), strict=True))
    rows: list[ReportRow] = [
        compare(CELL, "ingest", "chunks/s", ours.rate, rate, at_least=1.7, note=note),
        compare(CELL, "CPU, all processes", "ms per chunk", ours.cpu_ms, cpu),
    ]
    details = {"chunks": ours.chunks, "files": len(workload.uploads), "seconds": ours.seconds, "cpu_s": by_process}
    return CellResult(
        rows, {**details, "baseline_chunks": len(sample), "baselines": [baseline.rate for baseline in baselines]}
    )


def _ingest(workload: Workload) -> tuple[EncodingRate, dict[str, float]]:
    """Ingest into an empty store, which later cells reuse. Returns the rate and the CPU seconds of each process."""
    workload.empty()
    with bundle(workload.data_dir, workload.log(CELL), INSTANT_BUNDLE) as server:
        cpu_before, started = server.cpu_s(), time.perf_counter()
        files = workload.ingest(server)
        seconds, cpu_after = time.perf_counter() - started, server.cpu_s()
    (workload.data_dir / "filled").touch()
    used = {name: spent - cpu_before.get(name, 0.0) for name, spent in cpu_after.items()}
    return EncodingRate(sum(int(file["chunks"]) for file in files), seconds, sum(used.values())), used


def sample_by_length(passages: Sequence[str], count: int) -> list[str]:
    """About `count` passages, evenly spread from the shortest to the longest."""
    return sorted(passages, key=len)[:: max(1, len(passages) // count)]


def encoder_rate(passages: Sequence[str]) -> EncodingRate:
    settings = config.load()
    request = {
        "do": "encode",
        "texts": list(passages),
        "folder": model_files.embedder_folder(settings),
        "threads": settings.embedder.threads,
        "device": settings.embedder.device,
        "batch_size": BATCH,
    }
    answer = run_json(MODULE, request)
    return EncodingRate(len(passages), float(answer["seconds"]), float(answer["cpu_seconds"]))
