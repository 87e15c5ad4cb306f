"""`POST /ingest`, as the command line uses it, against the bare encoder on the same passages sorted by length."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.job import INSTANT, PeerJob
from bench.report import CellResult, ReportRow, spread, versus
from bench.servers import bundle, run_json
from rag import config
from rag.adapters import model_files

CELL = "ingest"
MODULE = "bench.bare"
BATCH = 32
"""sentence-transformers' own default."""
FLOOR_PASSAGES = 1500
"""Of more, the floor is given some of each length: the same mixture, in bounded time."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one run over many chunks."""

    chunks: int
    seconds: float
    cpu_s: float
    """Of all processes that took part."""

    @property
    def rate(self) -> float:
        return self.chunks / self.seconds

    @property
    def cpu_ms(self) -> float:
        """A chunk."""
        return self.cpu_s * 1000 / self.chunks


def run(job: PeerJob) -> CellResult:
    passages = job.passages()
    sample = some_of_each_length(passages, FLOOR_PASSAGES)
    before = bare_speed(sample)
    ours, by_process = _ingest(job)
    after = bare_speed(sample)
    if ours.chunks != len(passages):
        raise RuntimeError(f"the service made {ours.chunks} chunks, the encoder was given {len(passages)}")
    floors = [before, after]
    note = f"{ours.chunks} chunks; floor noise {spread([floor.rate for floor in floors]):.0%}"
    rate, cpu = (statistics.fmean(values) for values in zip(*((f.rate, f.cpu_ms) for f in floors), strict=True))
    rows: list[ReportRow] = [
        versus(CELL, "ingest", "chunks/s", ours.rate, rate, at_least=0.95, note=note),
        versus(CELL, "CPU, all processes", "ms a chunk", ours.cpu_ms, cpu),
    ]
    details = {"chunks": ours.chunks, "files": len(job.uploads), "seconds": ours.seconds, "cpu_s": by_process}
    return CellResult(rows, {**details, "floor_chunks": len(sample), "floors": [floor.rate for floor in floors]})


def _ingest(job: PeerJob) -> tuple[Speed, dict[str, float]]:
    """Into an empty store, which the cells after this one use; and the CPU seconds of each process."""
    job.empty()
    with bundle(job.data_dir, job.log(CELL), INSTANT) as server:
        cpu_before, started = server.cpu_s(), time.perf_counter()
        files = job.ingest(server)
        seconds, cpu_after = time.perf_counter() - started, server.cpu_s()
    (job.data_dir / "filled").touch()
    used = {name: spent - cpu_before.get(name, 0.0) for name, spent in cpu_after.items()}
    return Speed(sum(int(file["chunks"]) for file in files), seconds, sum(used.values())), used


def some_of_each_length(passages: Sequence[str], count: int) -> list[str]:
    """About `count` of them, evenly from the shortest to the longest."""
    return sorted(passages, key=len)[:: max(1, len(passages) // count)]


def bare_speed(passages: Sequence[str]) -> Speed:
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
    return Speed(len(passages), float(answer["seconds"]), float(answer["cpu_seconds"]))
