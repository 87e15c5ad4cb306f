"""`POST /retrieve` against bare encode + bare pymilvus searches in the same Milvus Lite file, one user."""

from __future__ import annotations

import time
from typing import Any

import httpx

from bench.job import INSTANT, PeerJob
from bench.report import CellResult, summary, versus
from bench.servers import bundle, run_json
from rag import config
from rag.adapters import model_files
from rag.adapters.milvus.rows import CHUNK_FIELDS

CELL = "retrieve"
WARM_UP = 3
QUESTION_THREADS = 1
"""As the service takes: on a busy machine two threads that wait for each other would make a poor floor."""
ALIAS = "default"
"""In Milvus it names the collection in use, and has the prefix."""


def run(job: PeerJob) -> CellResult:
    job.fill()
    questions = job.take(40 if job.quick else 120)
    ours = _ours(job, questions)
    bare = run_json("bench.bare", _request(job, questions))  # only now may another process open the file
    own, floor = summary(ours), summary(bare["total"])
    rows = [versus(CELL, f"one question, {p}", "ms", own[p], floor[p]) for p in ("p50", "p95")]
    steps = {name: summary(values) for name, values in bare.items()}
    return CellResult(rows, {"ours_ms": own, "bare_ms": steps})


def _ours(job: PeerJob, questions: list[str]) -> list[float]:
    milliseconds = []
    with (
        bundle(job.data_dir, job.log(CELL), INSTANT) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for question in [*questions[:WARM_UP], *questions]:
            started = time.perf_counter()
            client.post("/retrieve", json={"query": question}).raise_for_status()
            milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds[WARM_UP:]


def _request(job: PeerJob, questions: list[str]) -> dict[str, Any]:
    settings = config.load()
    return {
        "do": "search",
        "questions": questions,
        "folder": model_files.embedder_folder(settings),
        "threads": QUESTION_THREADS,
        "device": settings.embedder.device,
        "uri": str(job.data_dir / "milvus.db"),
        "collection": settings.store.prefix + ALIAS,
        "limit": settings.retrieve.candidates,
        "fields": CHUNK_FIELDS,
        "language": settings.store.language,
    }
