"""Metrics of the queues in front of the stages. Several services have queues, so each has the label `service`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from prometheus_client import Counter, Gauge, Histogram

from rag.telemetry.http import REGISTRY

Stage: TypeAlias = Literal[
    "requests", "search", "store", "custom", "parse", "questions", "candidates", "passages", "generate", "grammar"
]
Reason: TypeAlias = Literal["caller_full", "full", "late", "timeout"]

SERVICES: Mapping[Stage, str] = {
    "requests": "RAG",
    "search": "Retriever",
    "store": "Retriever",
    "custom": "Retriever",
    "parse": "Retriever",
    "questions": "Embedder",
    "candidates": "Embedder",
    "passages": "Embedder",
    "generate": "LLM",
    "grammar": "LLM",
}
"""Where each stage's queue is."""

WAITING = Gauge("rag_queue_waiting", "Work that waits for its turn, by stage.", ("service", "stage"), registry=REGISTRY)
IN_USE = Gauge(
    "rag_queue_in_use", "Part of a stage's capacity that running work uses.", ("service", "stage"), registry=REGISTRY
)
CAPACITY = Gauge(
    "rag_queue_capacity",
    "What may run in a stage at the same time: texts (`generate`), characters (`grammar`), else pieces of work. Of "
    "`requests`, those of one caller.",
    ("service", "stage"),
    registry=REGISTRY,
)
WAIT = Histogram(
    "rag_queue_wait_seconds",
    "Time that work waited for its turn, by stage.",
    ("service", "stage"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
REJECTIONS = Counter(
    "rag_queue_rejections_total",
    "Requests refused with 429. `caller_full`: too many of the same caller wait; `full`: of all callers; `late`: "
    "expected to wait for too long; `timeout`: waited for too long.",
    ("service", "stage", "reason"),
    registry=REGISTRY,
)


class QueueMetrics:
    """The metrics of one queue."""

    def __init__(self, stage: Stage) -> None:
        labels = (SERVICES[stage], stage)
        self._waiting = WAITING.labels(*labels)
        self._in_use = IN_USE.labels(*labels)
        self._capacity = CAPACITY.labels(*labels)
        self._wait = WAIT.labels(*labels)
        self._rejections = {reason: REJECTIONS.labels(*labels, reason) for reason in get_args(Reason)}

    def changed(self, *, waiting: int, in_use: int, capacity: int) -> None:
        self._waiting.set(waiting)
        self._in_use.set(in_use)
        self._capacity.set(capacity)

    def began(self, waited_s: float) -> None:
        self._wait.observe(waited_s)

    def refused(self, reason: Reason) -> None:
        self._rejections[reason].inc()
