"""Metrics of HTTP requests. Every service has them, so each has the label `service`."""

from __future__ import annotations

import platform
from importlib import metadata

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

import rag

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "rag_http_requests_total",
    "Requests that have ended. Probes and scrapes are not counted. Status 499: the client disconnected.",
    ("service", "route", "method", "status"),
    registry=REGISTRY,
)
DURATION = Histogram(
    "rag_http_request_duration_seconds",
    "Time from the arrival of a request to the last byte of its response.",
    ("service", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
IN_FLIGHT = Gauge("rag_http_requests_in_flight", "Requests in progress.", ("service",), registry=REGISTRY)
IN_FLIGHT_LIMIT = Gauge(
    "rag_http_requests_in_flight_limit",
    "Requests in progress from which on further ones are rejected: `RAG_SERVER__MAX_IN_FLIGHT`.",
    ("service",),
    registry=REGISTRY,
)
ERRORS = Counter(
    "rag_request_errors_total",
    "Requests that were rejected or failed, by error code. A stream that ends with an `error` event counts as well.",
    ("service", "code"),
    registry=REGISTRY,
)
BUILD_INFO = Gauge(
    "rag_build_info",
    "Always 1. The labels are versions.",
    ("service", "version", "bentoml", "python"),
    registry=REGISTRY,
)
READY = Gauge(
    "rag_service_ready", "1 if the last probe of the service succeeded, else 0.", ("service",), registry=REGISTRY
)


def describe_build(service: str) -> None:
    BUILD_INFO.labels(service, rag.__version__, metadata.version("bentoml"), platform.python_version()).set(1)
