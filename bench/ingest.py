"""`POST /ingest`, as the command line uses it, against the bare encoder on the same passages sorted by length."""

from __future__ import annotations

import shutil
import statistics
import time

from bench.job import INSTANT, Job
from bench.report import Result, Row, spread, versus
from bench.servers import bundle, run_json
from rag import config
from rag.adapters import model_files

CELL = "ingest"
MODULE = "bench.bare"
BATCH = 32
"""sentence-transformers' own default."""


def run(job: Job) -> Result:
    passages = job.passages()
    before = _bare_rate(passages)
    chunks, seconds = _ingest(job)
    after = _bare_rate(passages)
    if chunks != len(passages):
        raise RuntimeError(f"the service made {chunks} chunks, the encoder was given {len(passages)}")
    floors, ours = [before, after], chunks / seconds
    note = f"{chunks} chunks; floor noise {spread(floors):.0%}"
    row: Row = versus(CELL, "ingest", "chunks/s", ours, statistics.fmean(floors), at_least=0.9, note=note)
    return Result([row], {"chunks": chunks, "files": len(job.uploads), "seconds": seconds, "floors": floors})


def _ingest(job: Job) -> tuple[int, float]:
    """Into an empty store, which the cells after this one use."""
    for left_over in job.data_dir.glob("milvus.db*"):
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    (job.data_dir / "filled").unlink(missing_ok=True)
    with bundle(job.data_dir, job.log(CELL), INSTANT) as server:
        started = time.perf_counter()
        chunks = job.ingest(server)
        seconds = time.perf_counter() - started
    (job.data_dir / "filled").touch()
    return chunks, seconds


def _bare_rate(passages: list[str]) -> float:
    settings = config.load()
    request = {
        "do": "encode",
        "texts": passages,
        "folder": model_files.embedder_folder(settings),
        "threads": settings.embedder.threads,
        "device": settings.embedder.device,
        "batch_size": BATCH,
    }
    return len(passages) / float(run_json(MODULE, request)["seconds"])
