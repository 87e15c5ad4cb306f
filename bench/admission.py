"""`/retrieve`, the first token of `/ask` and a one-line upload of one API key: beside an abusive key, and alone.

The abusive client runs in a process of its own (`bench/abuse.py`). With `--without-engine` the language model is a stub
that answers at once: then the rows of the language model only show the queue in front of it.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.abuse import ATTACKS, STORE
from bench.report import CellResult, ReportRow, compare, percentile, summary
from bench.servers import ROOT, Server, bundle
from bench.workload import INSTANT_BUNDLE, Workload

CELL = "admission"
AT_MOST = 2.0
"""Target for p95 under load divided by p95 of the idle service."""
ALL = "all at once"
_ADMIN_KEY = "the-admin-key-of-this-benchmark-0123456789"
_LEAD_S = 4.0
"""Between the start of an attack and the first measurement, and after its end."""
_EVERY_S = 0.2
_UPLOAD_STORE = "polite"


@dataclass(slots=True)
class Latencies:
    """Milliseconds of the polite client's requests in one phase; infinite for those that failed."""

    retrieve: list[float] = field(default_factory=list)
    first_token: list[float] = field(default_factory=list)
    upload: list[float] = field(default_factory=list)

    def details(self) -> dict[str, object]:
        return {name: summary(getattr(self, name)) for name in ("retrieve", "first_token", "upload")}


def run(workload: Workload) -> CellResult:
    workload.fill()
    rounds = 20 if workload.quick else 60
    questions = workload.take(rounds)
    target = INSTANT_BUNDLE if workload.without_engine else "service:RAG"
    data_dir = _copied(workload)
    with bundle(data_dir, workload.log(CELL), target, RAG_SERVER__ADMIN_KEY=_ADMIN_KEY) as server:
        polite, abusive = _new_key(server, "polite"), _new_key(server, "abusive")
        _measure(server, polite, questions[:5])  # warm-up
        before = _measure(server, polite, questions)
        loaded: dict[str, Latencies] = {}
        for name in (*ATTACKS, ALL):
            with _attack(server, abusive, list(ATTACKS) if name == ALL else [name]):
                loaded[name] = _measure(server, polite, questions)
        after = _measure(server, polite, questions)
    shutil.rmtree(data_dir)
    idle = Latencies(*(getattr(before, f) + getattr(after, f) for f in ("retrieve", "first_token", "upload")))
    rows = [row for name, latencies in loaded.items() for row in _rows(name, latencies, idle)]
    phases = {"before": before, **loaded, "after": after}
    return CellResult(rows, {name: phase.details() for name, phase in phases.items()})


def _rows(name: str, loaded: Latencies, idle: Latencies) -> Iterator[ReportRow]:
    for what, q, at_most in (("retrieve", 95, AT_MOST), ("first_token", 95, AT_MOST), ("upload", 50, None)):
        ours, theirs = percentile(getattr(loaded, what), q), percentile(getattr(idle, what), q)
        label = f"{what.replace('_', ' ')} p{q}, {name} / idle"
        failed = sum(map(math.isinf, getattr(loaded, what)))
        yield compare(CELL, label, "ms", ours, theirs, at_most=at_most, note=f"{failed} failed" if failed else "")


def _copied(workload: Workload) -> Path:
    """A copy of the data folder, so that the keys and the uploads do not affect other cells."""
    copy = workload.work / CELL
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(workload.data_dir, copy, symlinks=True)
    return copy


def _new_key(server: Server, name: str) -> str:
    """The secret of a new key, which may use the documents of the workload and has a vector store of its own."""
    with _client(server, _ADMIN_KEY) as admin:
        body = {"name": name, "scopes": ["ask", "generate", "ingest"]}
        secret: str = admin.post("/v1/keys", json=body).raise_for_status().json()["secret"]
        store = STORE if name == "abusive" else _UPLOAD_STORE
        admin.post("/v1/vector_stores", json={"name": store}).raise_for_status()
    return secret


def _client(server: Server, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, timeout=600)


def _measure(server: Server, key: str, questions: Sequence[str]) -> Latencies:
    """Each question once as a search and once as an answer; two one-line uploads on the way."""
    latencies = Latencies()
    with _client(server, key) as client:
        for number, question in enumerate(questions):
            latencies.retrieve.append(_search_ms(client, question))
            latencies.first_token.append(_first_token_ms(client, question))
            if number in (len(questions) // 3, 2 * len(questions) // 3):
                latencies.upload.append(_upload_ms(client))
            time.sleep(_EVERY_S)
    return latencies


def _search_ms(client: httpx.Client, question: str) -> float:
    return _elapsed_ms(lambda: client.post("/retrieve", json={"query": question}).raise_for_status())


def _elapsed_ms(call: Callable[[], object]) -> float:
    """Infinite if the request fails: a refusal is no answer."""
    started = time.perf_counter()
    try:
        call()
    except httpx.HTTPError:
        return math.inf
    return (time.perf_counter() - started) * 1000


def _first_token_ms(client: httpx.Client, question: str) -> float:
    """Until the first `token` event. The text that says that nothing was found is one, too."""
    body = {"question": question, "max_tokens": 4, "temperature": 0.0}

    def first_token() -> None:
        with client.stream("POST", "/ask", json=body) as response:
            response.raise_for_status()
            if not any(line == "event: token" for line in response.iter_lines()):
                raise httpx.RemoteProtocolError("the answer has no token")

    return _elapsed_ms(first_token)


def _upload_ms(client: httpx.Client) -> float:
    form = {"vector_store": _UPLOAD_STORE, "wait_s": "600"}
    files = {"files": ("line.md", f"The time is {time.time()}.\n".encode())}
    return _elapsed_ms(lambda: client.post("/ingest", data=form, files=files).raise_for_status())


@contextlib.contextmanager
def _attack(server: Server, key: str, names: Sequence[str]) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.abuse", server.url, key, *names]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        time.sleep(_LEAD_S)
        if process.poll() is not None:
            raise RuntimeError(f"the abusive client ended with {process.returncode}")
        yield
    finally:
        process.kill()
        process.wait()
        _cancel_jobs(server, key)
    time.sleep(_LEAD_S)


def _cancel_jobs(server: Server, key: str) -> None:
    with _client(server, key) as client:
        jobs = client.get("/v1/jobs", params={"active": "true", "limit": 100}).raise_for_status().json()["data"]
        for job in jobs:
            client.post(f"/v1/jobs/{job['id']}/cancel")
