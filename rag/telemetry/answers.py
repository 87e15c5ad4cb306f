"""Metrics of the edge."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

ANSWERS = Counter(
    "rag_answers_total",
    "Complete answers from documents, by outcome: `answered`, or `refused` because nothing relevant was found.",
    ("outcome",),
    registry=REGISTRY,
)
FIRST_TOKEN = Histogram(
    "rag_answer_first_token_seconds",
    "Time from a question to the first text of its answer, including retrieval. Cached answers are not counted.",
    buckets=(0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60),
    registry=REGISTRY,
)
DURATION = Histogram(
    "rag_answer_duration_seconds",
    "Time from a question to the end of its answer.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600),
    registry=REGISTRY,
)
CACHE_REQUESTS = Counter(
    "rag_answer_cache_requests_total", "Look-ups in the answer cache: `hit` or `miss`.", ("outcome",), registry=REGISTRY
)

for _outcome in ("answered", "refused"):
    ANSWERS.labels(_outcome)
for _outcome in ("hit", "miss"):
    CACHE_REQUESTS.labels(_outcome)
