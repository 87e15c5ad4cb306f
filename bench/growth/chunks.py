"""`/retrieve` with growing numbers of chunks in a Milvus Lite file, and with growing numbers of hits."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil

from bench import at_scale
from bench.growth.curve import Curve
from bench.report import summary
from bench.servers import Server, bundle, process_name
from bench.workload import INSTANT_BUNDLE

_QUESTIONS = 40
_WARM_UP = 5
_WORDS = 8
_MIB = 2**20


def curves(folder: Path, sizes: Sequence[int], top_ks: Sequence[int]) -> list[Curve]:
    """The number of hits is varied in the store of the second size."""
    latency: dict[str, list[float]] = {"p50, ms": [], "p95, ms": [], "CPU, ms a question": []}
    space: dict[str, list[float]] = {"Retriever, MiB": [], "Milvus Lite file, MiB": []}
    by_top_k: dict[str, list[float]] = {"p50, ms": [], "p95, ms": []}
    for size in sizes:
        own = filled(folder, size)
        with bundle(own, own / "service.log", INSTANT_BUNDLE) as server:
            before = sum(server.cpu_s().values())
            taken = _latencies(server, top_k=None)
            cpu_s = sum(server.cpu_s().values()) - before
            latency["p50, ms"].append(summary(taken)["p50"])
            latency["p95, ms"].append(summary(taken)["p95"])
            latency["CPU, ms a question"].append(cpu_s * 1000 / (_QUESTIONS + _WARM_UP))
            space["Retriever, MiB"].append(_retriever_mib(server))
            space["Milvus Lite file, MiB"].append(_size_mib(own / "milvus.db"))
            if size == sizes[min(1, len(sizes) - 1)]:
                for top_k in top_ks:
                    figures = summary(_latencies(server, top_k))
                    by_top_k["p50, ms"].append(figures["p50"])
                    by_top_k["p95, ms"].append(figures["p95"])
    return [
        Curve("/retrieve by chunks", "chunks", sizes, latency),
        Curve("memory and disk by chunks", "chunks", sizes, space),
        Curve("/retrieve by hits", "top_k", top_ks, by_top_k),
    ]


def filled(folder: Path, size: int) -> Path:
    """A data folder with this many chunks. It is filled the first time."""
    own = folder / str(size)
    own.mkdir(parents=True, exist_ok=True)
    at_scale.fill(own, size)
    return own


def questions(count: int) -> list[str]:
    rng = random.Random(2)
    return [" ".join(at_scale.words(rng, _WORDS)) for _ in range(count)]


def _latencies(server: Server, top_k: int | None) -> list[float]:
    """In ms, of one user."""
    taken = []
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for question in questions(_QUESTIONS + _WARM_UP):
            body = {"query": question} if top_k is None else {"query": question, "top_k": top_k}
            started = time.perf_counter()
            found = client.post("/retrieve", json=body).raise_for_status().json()["hits"]
            taken.append((time.perf_counter() - started) * 1000)
            if not found:
                raise RuntimeError(f"nothing was found for {question!r}")
    return taken[_WARM_UP:]


def _retriever_mib(server: Server) -> float:
    """Resident memory; shared pages count in part where the system tells them."""
    [process] = [each for each in server.family() if process_name(each) == "Retriever"]
    full = psutil.Process(process.pid).memory_full_info()
    return float(getattr(full, "pss", full.rss)) / _MIB


def _size_mib(path: Path) -> float:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files) / _MIB
