"""Metrics in the text format that Prometheus reads: those of one service, and of several in one text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from rag.telemetry import (
    answers,
    generation,
    http,
    queues,  # noqa: F401 - its metrics are in the registry of `http`
    retrieval,
    tenants,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRIES: Mapping[str, Sequence[CollectorRegistry]] = {
    "RAG": (http.REGISTRY, answers.REGISTRY, tenants.REGISTRY),
    "Retriever": (http.REGISTRY, retrieval.REGISTRY),
    "Embedder": (http.REGISTRY,),
    "LLM": (http.REGISTRY, generation.REGISTRY),
}
"""Of each service, by its name. No two services have a metric in common that lacks the label `service`."""
_HEADING = re.compile(r"# (?:HELP|TYPE) (\S+)")

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter


class _VllmMetrics(Collector):
    """vLLM's metrics in `prometheus_client`'s default registry, which also holds metrics of the Python process."""

    def collect(self) -> Iterator[Metric]:
        return (metric for metric in prometheus_client.REGISTRY.collect() if metric.name.startswith("vllm:"))


_VLLM_REGISTRY = CollectorRegistry()
_VLLM_REGISTRY.register(_VllmMetrics())


def own_metrics(service: str) -> str:
    """The metrics of a service in this process, and vLLM's if this is the LLM service."""
    registries = [*REGISTRIES.get(service, (http.REGISTRY,))]
    if service == "LLM":
        registries.append(_VLLM_REGISTRY)
    return "".join(generate_latest(registry).decode() for registry in registries)


def merged(texts: Iterable[str]) -> str:
    """One text with the metrics of all. Each metric has one heading, which the format demands."""
    headings: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        name = ""
        for line in text.splitlines(keepends=True):
            if (heading := _HEADING.match(line)) is None:
                samples[name].append(line)
                continue
            name = heading[1]
            samples.setdefault(name, [])
            if line not in (known := headings.setdefault(name, [])):
                known.append(line)
    return "".join("".join(headings[name]) + "".join(samples[name]) for name in samples)
