"""`python -m bench.at_scale`: `/retrieve` over HTTP against the same Milvus calls made directly, with many chunks.

The chunks have random vectors and made-up words with a Zipf distribution. The service, its encoder, Milvus Lite and the
questions' vectors are real. The service and the direct calls take turns, because only one process at a time can open a
Milvus Lite file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from threadpoolctl import threadpool_limits

from bench.in_process_retriever import STORE, InProcessRetriever, in_process_retriever
from bench.report import summary
from bench.servers import bundle, run_json
from rag import config
from rag.adapters import model_files
from rag.adapters.milvus.rows import CHUNK_FIELDS
from tests.fakes import FakeEmbedder, FakeEmbedders

_DIMENSIONS = 384
_CHUNKS_PER_DOCUMENT = 2000
_WORDS_PER_CHUNK = 60
_WARM_UP = 5
_PARTS = ("ka", "lo", "mi", "ne", "ru", "sa", "to", "vi", "xe", "zu", "bar", "den", "fil", "gon", "ham", "jet")
_VOCABULARY = ["".join(parts) for parts in itertools.product(_PARTS, repeat=3)]
_WEIGHTS = [1 / rank for rank in range(1, len(_VOCABULARY) + 1)]
"""Zipf's law."""


def fill(folder: Path, chunks: int) -> str:
    """Fill the vector store `default` with this many chunks. Returns the name of its Milvus collection."""
    if (done := folder / "filled.json").is_file():
        return str(json.loads(done.read_text()))
    threadpool_limits(limits=1, user_api="blas")
    embedder = FakeEmbedder(_DIMENSIONS, config.EMBEDDED_ENCODER, at_random=True, keeps_calls=False)
    with in_process_retriever(folder, FakeEmbedders(embedder), max_chars=512) as retriever:
        for number, text in enumerate(_texts(chunks)):
            _ingest(retriever, f"document-{number}.txt", text)
        collection = config.StoreSettings().prefix + retriever.collection.replace("-", "_d")
    done.write_text(json.dumps(collection))
    return collection


def _texts(chunks: int) -> Iterator[str]:
    """Documents in which each paragraph becomes one chunk."""
    rng = random.Random(1)
    for first in range(0, chunks, _CHUNKS_PER_DOCUMENT):
        count = min(_CHUNKS_PER_DOCUMENT, chunks - first)
        paragraphs = (" ".join(words(rng, _WORDS_PER_CHUNK)) for _ in range(count))
        yield "\n\n".join(f"{first + n} {text}" for n, text in enumerate(paragraphs))


def words(rng: random.Random, count: int) -> list[str]:
    return rng.choices(_VOCABULARY, _WEIGHTS, k=count)


def _ingest(retriever: InProcessRetriever, name: str, text: str) -> None:
    job = retriever.library.ingest(STORE, [retriever.upload(name, text.encode())], {})
    job = retriever.library.wait(job.job_id, 3600)
    if job.state != "completed" or job.file_counts.completed != 1:
        raise RuntimeError(f"{name} was not ingested: {job}")


def measure(folder: Path, collection: str, rounds: int, questions: int) -> None:
    rng = random.Random(2)
    ours: list[float] = []
    bare: dict[str, list[float]] = {}
    for _ in range(rounds):
        asked = [" ".join(words(rng, 8)) for _ in range(questions)]
        ours += _ours(folder, asked)
        for name, taken in run_json("bench.retrieval.library_baseline", _request(folder, collection, asked)).items():
            bare.setdefault(name, []).extend(taken)
    searched = [dense + keyword for dense, keyword in zip(bare["dense"], bare["keyword"], strict=True)]
    steps = {name: summary(taken) for name, taken in {"/retrieve": ours, **bare, "searches": searched}.items()}
    for name, figures in steps.items():
        print(f"  {name:10} p50 {figures['p50']:8.1f} ms, p95 {figures['p95']:8.1f} ms", flush=True)
    for part in ("p50", "p95"):
        own = steps["/retrieve"][part] - steps["encode"][part]
        ratio = own / steps["searches"][part]
        print(f"  {part}: /retrieve without the encoder / direct searches = {ratio:.2f}", flush=True)


def _ours(folder: Path, questions: Sequence[str]) -> list[float]:
    taken = []
    log = folder / "service.log"
    with (
        bundle(folder, log, "bench.instant_bundle:RAG") as server,
        httpx.Client(base_url=server.url, timeout=120) as client,
    ):
        for question in [*questions[:_WARM_UP], *questions]:
            started = time.perf_counter()
            answer = client.post("/retrieve", json={"query": question})
            taken.append((time.perf_counter() - started) * 1000)
            if not answer.raise_for_status().json()["hits"]:
                raise RuntimeError(f"nothing was found for {question!r}")
    return taken[_WARM_UP:]


def _request(folder: Path, collection: str, questions: Sequence[str]) -> dict[str, Any]:
    settings = config.load()
    return {
        "do": "search",
        "questions": list(questions),
        "folder": model_files.embedder_folder(settings),
        "threads": 1,
        "device": settings.embedder.device,
        "uri": str(folder / "milvus.db"),
        "collection": collection,
        "limit": settings.retrieve.candidates,
        "fields": CHUNK_FIELDS,
        "language": settings.store.language,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    cli = argparse.ArgumentParser(prog="python -m bench.at_scale", description=__doc__)
    cli.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    cli.add_argument("--rounds", type=int, default=2)
    cli.add_argument("--questions", type=int, default=60, help="in each round")
    cli.add_argument("--folder", type=Path, help="keep the chunks here and reuse them in the next run")
    chosen = cli.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rag-scale-") as temporary:
        for chunks in chosen.chunks:
            folder = (chosen.folder or Path(temporary)).absolute() / str(chunks)
            folder.mkdir(parents=True, exist_ok=True)
            collection = fill(folder, chunks)
            print(f"{chunks:,} chunks", flush=True)
            measure(folder, collection, chosen.rounds, chosen.questions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
