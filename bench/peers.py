"""The peers' own scripts beside us, with their language model that answers at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.job import PeerJob
from bench.load import WARM_UP, Call, measure
from bench.own_work import AIMS_MS
from bench.report import CellResult, ReportRow, summary
from bench.servers import free_port, serving
from rag import config
from rag.adapters import model_files

CELL = "peers"


def run(job: PeerJob, folder: Path, pythons: Mapping[str, str]) -> CellResult:
    """Each peer's time to first token. `pythons`: interpreter by peer (langchain, llamaindex, haystack)."""
    documents = _linked(job)
    rows: list[ReportRow] = []
    for peer, python in pythons.items():
        rows += _one(job, folder.absolute(), peer, python, documents)
    return CellResult(rows, {})


def _linked(job: PeerJob) -> Path:
    """The same documents as ours, as the folder that the scripts want."""
    root = job.work / "documents"
    for upload in job.uploads:
        link = (root / upload.name).with_suffix(".md")
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(upload.path.absolute())
    return root


def _one(job: PeerJob, folder: Path, peer: str, python: str, documents: Path) -> list[ReportRow]:
    port, null_port, log = free_port(), free_port(), job.log(f"peer-{peer}")
    environment = {
        "PEER_DOCS": str(documents),
        "PEER_EMBED": model_files.embedder_folder(config.load()),
        "PEER_STORE": str(job.work / f"{peer}.db"),
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
        return [_row(job, server.url, peer, users) for users in AIMS_MS]


def _row(job: PeerJob, url: str, peer: str, users: int) -> ReportRow:
    count = max(3 * users, 24) * (1 if job.quick else 3)
    calls = [Call(url + "/ask", {"question": question}) for question in job.take(count)]
    seen = summary(measure(calls, users, calls[-WARM_UP:]).first_token_ms)
    note = json.dumps({"p50": round(seen["p50"]), "p95": round(seen["p95"])})
    return ReportRow(CELL, f"{peer}: to first token, {users} users", "ms, mean", seen["mean"], note=note)
