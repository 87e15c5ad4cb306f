"""Scripts of other frameworks measured as we are, with a stub language model that answers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.answers.own_work import TARGETS_MS
from bench.load import WARM_UP, Call, measure
from bench.report import CellResult, ReportRow, summary
from bench.servers import serving
from bench.workload import Workload
from rag import config
from rag.adapters import model_files
from tests.support.free_port import free_port

CELL = "peers"


def run(workload: Workload, folder: Path, pythons: Mapping[str, str]) -> CellResult:
    """Time to first token of each peer. `pythons`: interpreter by peer name (langchain, llamaindex, haystack)."""
    documents = _linked(workload)
    rows: list[ReportRow] = []
    for peer, python in pythons.items():
        rows += _one(workload, folder.absolute(), peer, python, documents)
    return CellResult(rows, {})


def _linked(workload: Workload) -> Path:
    """A folder with links to our documents, as the scripts expect it."""
    root = workload.work / "documents"
    for upload in workload.uploads:
        link = (root / upload.name).with_suffix(".md")
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(upload.path.absolute())
    return root


def _one(workload: Workload, folder: Path, peer: str, python: str, documents: Path) -> list[ReportRow]:
    port, null_port, log = free_port(), free_port(), workload.log(f"peer-{peer}")
    environment = {
        "PEER_DOCS": str(documents),
        "PEER_EMBED": model_files.embedder_folder(config.load()),
        "PEER_STORE": str(workload.work / f"{peer}.db"),
        "PEER_PORT": str(port),
        "PEER_LLM_URL": f"http://127.0.0.1:{null_port}/v1",
    }
    script, null = f"peer_{peer}.py", [sys.executable, "recorder.py", "--port", str(null_port), "--out", os.devnull]
    with log.open("ab") as output:
        command = [python, script, "ingest"]
        subprocess.run(command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=output, check=True)
    with (
        serving(null, f"http://127.0.0.1:{null_port}", "/health", log, {}, folder),
        serving([python, script, "serve"], f"http://127.0.0.1:{port}", "/healthz", log, environment, folder) as server,
    ):
        return [_row(workload, server.url, peer, users) for users in TARGETS_MS]


def _row(workload: Workload, url: str, peer: str, users: int) -> ReportRow:
    count = max(3 * users, 24) * (1 if workload.quick else 3)
    calls = [Call(url + "/ask", {"question": question}) for question in workload.take(count)]
    seen = summary(measure(calls, users, calls[-WARM_UP:]).first_token_ms)
    note = json.dumps({"p50": round(seen["p50"]), "p95": round(seen["p95"])})
    return ReportRow(CELL, f"{peer}: to first token, {users} users", "ms, mean", seen["mean"], note=note)
