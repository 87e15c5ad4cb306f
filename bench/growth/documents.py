"""Ingest of one document of a growing size, with the real encoder."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from bench import at_scale
from bench.growth.curve import Curve
from bench.servers import Server, bundle
from bench.workload import INSTANT_BUNDLE

_KB = 1000
_TIMEOUT_S = 1800
_BYTES_PER_WORD = 8


def curve(folder: Path, sizes_kb: Sequence[int]) -> Curve:
    series: dict[str, list[float]] = {"seconds": [], "chunks a second": [], "CPU, ms a chunk": []}
    own = folder / "documents"
    own.mkdir(parents=True, exist_ok=True)
    with bundle(own, own / "service.log", INSTANT_BUNDLE) as server:
        _ingest(server, "warm-up.txt", _text(0, 5))
        for seed, size in enumerate(sizes_kb, 1):
            before, started = sum(server.cpu_s().values()), time.perf_counter()
            chunks = _ingest(server, f"{time.time_ns()}.txt", _text(seed, size))
            taken, cpu_s = time.perf_counter() - started, sum(server.cpu_s().values()) - before
            series["seconds"].append(taken)
            series["chunks a second"].append(chunks / taken)
            series["CPU, ms a chunk"].append(cpu_s * 1000 / chunks)
    return Curve("ingest by size of the document", "kB", sizes_kb, series)


def _text(seed: int, size_kb: int) -> str:
    """Paragraphs of made-up words."""
    rng = random.Random(f"{seed} {time.time_ns()}")  # a text that was ingested before would not be encoded again
    count = size_kb * _KB // (60 * _BYTES_PER_WORD)
    return "\n\n".join(" ".join(at_scale.words(rng, 60)) for _ in range(max(1, count)))


def _ingest(server: Server, name: str, text: str) -> int:
    """Returns the number of chunks, once they are searchable."""
    with httpx.Client(base_url=server.url, timeout=_TIMEOUT_S) as client:
        sent = client.post("/ingest", files={"files": (name, text.encode())}, data={"wait_s": str(_TIMEOUT_S)})
        answer = sent.raise_for_status().json()
        if answer["status"] != "completed":
            raise RuntimeError(f"{name} was not ingested: {answer}")
        [file] = answer["files"]
        return int(file["chunks"])
