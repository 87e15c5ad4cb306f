"""Metrics of the Retriever."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from rag.errors import DependencyUnavailable

REGISTRY = CollectorRegistry()
STAGES = ("queue", "plan", "encode", "search", "rerank", "prompt", "quote", "retrieve")
MilvusOperation: TypeAlias = Literal["search", "query", "insert", "delete", "ping", "other"]

STAGE_DURATION = Histogram(
    "rag_retrieval_stage_duration_seconds",
    "Time of each stage of a question. `queue`: waiting for earlier questions; `retrieve`: all stages that find hits.",
    ("stage",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
CACHE_REQUESTS = Counter(
    "rag_retrieval_cache_requests_total",
    "Look-ups in the retrieval cache: `hit` or `miss`.",
    ("outcome",),
    registry=REGISTRY,
)
JOBS = Gauge("rag_jobs", "Jobs in the catalog, by kind and state.", ("kind", "state"), registry=REGISTRY)
BATCHES = Gauge("rag_batches", "Batches of requests in the catalog, by state.", ("state",), registry=REGISTRY)
OLDEST_JOB_AGE = Gauge(
    "rag_oldest_unfinished_job_age_seconds",
    "Age of the oldest job that is queued or running; 0 if there is none.",
    registry=REGISTRY,
)
STALLED_JOBS = Gauge("rag_stalled_jobs", "Running jobs without progress for a minute.", registry=REGISTRY)
UNFINISHED_RESPONSES = Gauge(
    "rag_unfinished_responses",
    "Responses in the background that have not ended, by state: `queued` or `running`.",
    ("state",),
    registry=REGISTRY,
)
for _state in ("queued", "running"):
    UNFINISHED_RESPONSES.labels(_state)
DISK_FREE = Gauge(
    "rag_data_disk_free_bytes", "Free space of the file system that holds `RAG_DATA_DIR`.", registry=REGISTRY
)
DISK_SIZE = Gauge("rag_data_disk_size_bytes", "Size of the file system that holds `RAG_DATA_DIR`.", registry=REGISTRY)
MILVUS_DURATION = Histogram(
    "rag_milvus_operation_duration_seconds",
    "Time of calls to Milvus, including waiting for its lock on Milvus Lite.",
    ("operation",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
MILVUS_ERRORS = Counter(
    "rag_milvus_errors_total",
    "Calls that Milvus did not answer. Faulty filters do not count.",
    ("operation",),
    registry=REGISTRY,
)

for _stage in STAGES:
    STAGE_DURATION.labels(_stage)
for _outcome in ("hit", "miss"):
    CACHE_REQUESTS.labels(_outcome)
for _operation in get_args(MilvusOperation):
    MILVUS_DURATION.labels(_operation)
    MILVUS_ERRORS.labels(_operation)


def observe_stages(timings_ms: Mapping[str, float]) -> None:
    """Record the stages among `timings_ms`."""
    for stage, took_ms in timings_ms.items():
        if stage in STAGES:
            STAGE_DURATION.labels(stage).observe(took_ms / 1000)


@contextlib.contextmanager
def milvus_operation(name: MilvusOperation) -> Iterator[None]:
    """Measure the calls inside, and count their failure unless the request is to blame."""
    started = time.perf_counter()
    try:
        yield
    except DependencyUnavailable:
        MILVUS_ERRORS.labels(name).inc()
        raise
    finally:
        MILVUS_DURATION.labels(name).observe(time.perf_counter() - started)
