"""`python -m tests.stress.large_file`: memory and search latency of a large vector store, compared with bare Milvus.

The vectors are random; everything else is the real document side on Milvus Lite.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pymilvus import MilvusClient
from threadpoolctl import threadpool_limits

from bench.in_process_retriever import STORE, InProcessRetriever, in_process_retriever
from rag.adapters.milvus.rows import CHUNK_FIELDS
from rag.adapters.milvus.store import MilvusStore
from rag.types import SearchMode
from tests.fakes import FakeEmbedder, FakeEmbedders

_DIMENSIONS = 384
_SIZES = (500, 1000, 2000, 5000)
_CANDIDATES = 50
_QUERIES = 60
_MIB = 2**20
_HEADS = ("ka", "lo", "mi", "ne", "ru", "sa", "to", "vi", "xe", "zu")
_TAILS = ("bar", "den", "fil", "gon", "ham", "jet", "lum", "pos")
_WORDS = [head + tail for head in _HEADS for tail in _TAILS]


@dataclass(slots=True)
class MemoryWatch:
    """Measures the memory of the process several times a second."""

    peak: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, rss_mib())

    def since(self) -> float:
        """The peak since the last call, in MiB."""
        peak, self.peak = max(self.peak, rss_mib()), 0.0
        return peak

    def stop(self) -> None:
        self._stop.set()


def rss_mib() -> float:
    return float(psutil.Process().memory_info().rss) / _MIB


class LargeFileTrial:
    def __init__(self, side: InProcessRetriever, embedder: FakeEmbedder, milvus: MilvusClient, seed: int = 1) -> None:
        self._side = side
        self._embedder = embedder
        self._milvus = milvus
        self._random = random.Random(seed)
        self._watch = MemoryWatch()
        self.chunks = 0

    def run(self, chunks: int, replaced: int) -> None:
        thread = threading.Thread(target=self._watch.run, daemon=True)
        thread.start()
        print(f"start: {rss_mib():,.0f} MiB", flush=True)
        looks = sorted({part for part in (10_000, 50_000, 100_000) if part < chunks} | {chunks})
        sizes, started = itertools.cycle(_SIZES), time.monotonic()
        shown = 0
        for number in itertools.count():
            if self.chunks >= chunks:
                break
            before = time.monotonic()
            size = min(next(sizes), chunks - self.chunks)
            self._ingest(f"document-{number}.txt", size)
            took = time.monotonic() - before
            if self.chunks // 10_000 > shown or self.chunks >= chunks:
                shown = self.chunks // 10_000
                rate, overall = size / took, self.chunks / (time.monotonic() - started)
                self._tell(f"{rate:,.0f} chunks/s for the last {size:,}, {overall:,.0f} over all")
            while looks and self.chunks >= looks[0]:
                looks.pop(0)
                self._searches()
        self._replace(replaced)
        self._watch.stop()
        thread.join()

    def _tell(self, what: str) -> None:
        peak, now = self._watch.since(), rss_mib()
        gc.collect()
        print(f"{self.chunks:,} chunks: {now:,.0f} MiB (peak {peak:,.0f}); {what}", flush=True)

    def _ingest(self, name: str, chunks: int) -> None:
        upload = self._side.upload(name, self._text(name, chunks).encode())
        job = self._side.library.ingest(STORE, [upload], {})
        job = self._side.library.wait(job.job_id, 3600)
        if job.state != "completed" or job.file_counts.completed != 1:
            raise RuntimeError(f"{name} was not ingested: {job}")
        self.chunks += job.chunks_total

    def _text(self, name: str, chunks: int) -> str:
        """Each paragraph becomes one chunk."""
        return "\n\n".join(f"{name} part {n} {' '.join(self._random.choices(_WORDS, k=55))}" for n in range(chunks))

    def _replace(self, chunks: int) -> None:
        if not chunks:
            return
        self._ingest("replaced.txt", chunks)
        self._tell(f"with a document of {chunks:,} chunks more")
        self._ingest("replaced.txt", chunks)
        self._tell("while and after it was replaced, the old one not yet cleaned away")
        started = time.monotonic()
        self._side.runtime.janitor.clean()
        self.chunks = self._side.store.count(self._side.collection)
        self._tell(f"cleaned in {time.monotonic() - started:.1f} s")

    # --- searches ----------------------------------------------------------------------------

    def _searches(self) -> None:
        queries = [" ".join(self._random.choices(_WORDS, k=6)) for _ in range(_QUERIES)]
        rows: dict[SearchMode, Callable[[str], Any]] = {
            "dense": lambda query: self._bare("dense", self._embedder.vectors([query])[0]),
            "keyword": lambda query: self._bare("keyword", query),
        }
        rows["hybrid"] = lambda query: (rows["dense"](query), rows["keyword"](query))
        for mode, bare in rows.items():
            ours = _times(queries, lambda query, mode=mode: self._side.search(query, mode, 10))  # type: ignore[misc]
            theirs = _times(queries, bare)
            print(f"  {mode:8} ours {_shown(ours)}   bare Milvus {_shown(theirs)}", flush=True)

    def _bare(self, field: str, data: Any) -> Any:
        return self._milvus.search(
            "rag_" + self._side.collection.replace("-", "_d"),
            data=[data],
            anns_field=field,
            limit=_CANDIDATES,
            output_fields=CHUNK_FIELDS,
        )


def _times(queries: Sequence[str], search: Callable[[str], Any]) -> list[float]:
    search(queries[0])
    taken = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _shown(taken: Sequence[float]) -> str:
    p95 = statistics.quantiles(taken, n=20)[-1]
    return f"p50 {statistics.median(taken):7.1f} ms, p95 {p95:7.1f} ms"


def main(arguments: Sequence[str] | None = None) -> int:
    cli = argparse.ArgumentParser(prog="python -m tests.stress.large_file", description=__doc__)
    cli.add_argument("--chunks", type=int, default=100_000)
    cli.add_argument("--replaced", type=int, default=20_000, help="chunks of a document that is replaced in the end")
    chosen = cli.parse_args(arguments)
    # As `rag.bootstrap` sets it for Milvus Lite.
    threadpool_limits(limits=1, user_api="blas")
    sys.setswitchinterval(0.0005)
    embedder = FakeEmbedder(_DIMENSIONS, "random", at_random=True, keeps_calls=False)
    with (
        tempfile.TemporaryDirectory(prefix="rag-large-") as folder,
        in_process_retriever(Path(folder), FakeEmbedders(embedder), max_chars=512) as side,
    ):
        assert isinstance(side.store, MilvusStore)
        bare = side.store.connection.client()  # of the same server, because Milvus Lite has one for a file
        LargeFileTrial(side, embedder, bare).run(chosen.chunks, chosen.replaced)
    return 0


if __name__ == "__main__":
    sys.exit(main())
