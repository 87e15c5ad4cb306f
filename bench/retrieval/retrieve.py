"""`POST /retrieve` against direct encoder and pymilvus calls on the same Milvus Lite file; one user."""

from __future__ import annotations

import time
from typing import Any

import httpx

from bench.report import CellResult, compare, summary
from bench.servers import bundle, run_json
from bench.workload import INSTANT_BUNDLE, Workload
from rag import config
from rag.adapters import model_files
from rag.adapters.milvus.rows import CHUNK_FIELDS

CELL = "retrieve"
_AT_MOST = 1.2
"""Target for the p50, divided by that of direct calls."""
WARM_UP = 3
QUESTION_THREADS = 1
"""As in the service. On a busy machine two threads would wait for each other and make the baseline slower."""
ALIAS = "default"
"""Milvus alias of the active collection, without the prefix."""


def run(workload: Workload) -> CellResult:
    workload.fill()
    questions = workload.take(40 if workload.quick else 120)
    ours = _ours(workload, questions)
    # After the service has closed the file.
    bare = run_json("bench.retrieval.library_baseline", _request(workload, questions))
    own, baseline = summary(ours), summary(bare["total"])
    rows = [
        compare(CELL, f"one question, {p}", "ms", own[p], baseline[p], at_most=aim)
        for p, aim in (("p50", _AT_MOST), ("p95", None))
    ]
    steps = {name: summary(values) for name, values in bare.items()}
    return CellResult(rows, {"ours_ms": own, "bare_ms": steps})


def _ours(workload: Workload, questions: list[str]) -> list[float]:
    milliseconds = []
    with (
        bundle(workload.data_dir, workload.log(CELL), INSTANT_BUNDLE) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for question in [*questions[:WARM_UP], *questions]:
            started = time.perf_counter()
            client.post("/retrieve", json={"query": question}).raise_for_status()
            milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds[WARM_UP:]


def _request(workload: Workload, questions: list[str]) -> dict[str, Any]:
    settings = config.load()
    return {
        "do": "search",
        "questions": questions,
        "folder": model_files.embedder_folder(settings),
        "threads": QUESTION_THREADS,
        "device": settings.embedder.device,
        "uri": str(workload.data_dir / "milvus.db"),
        "collection": settings.store.prefix + ALIAS,
        "limit": settings.retrieve.candidates,
        "fields": CHUNK_FIELDS,
        "language": settings.store.language,
    }
