"""The text that Prometheus reads."""

from __future__ import annotations

import re

import pytest
from prometheus_client import REGISTRY, Counter
from prometheus_client.parser import text_string_to_metric_families

from rag.telemetry import http
from rag.telemetry.exposition import REGISTRIES, merged, own_metrics
from tests.support.metric_values import definitions, series


def test_services_share_only_metrics_with_the_label_service() -> None:
    """Otherwise the text of several services would have the same series twice."""
    owned = [family.name for registries in REGISTRIES.values() for each in registries[1:] for family in each.collect()]
    assert len(owned) == len(set(owned))
    assert all(registries[0] is http.REGISTRY for registries in REGISTRIES.values())
    for metric in http.REGISTRY._collector_to_names:
        assert "service" in metric._labelnames  # type: ignore[attr-defined]


def test_names_follow_prometheus_conventions() -> None:
    for name, family in definitions().items():
        assert name.startswith("rag_")
        assert (family.type == "counter") == name.endswith("_total")
        assert family.documentation[-1] == "."
        if family.type == "histogram":
            assert name.endswith("_seconds")


def test_a_merged_text_has_one_heading_for_each_metric_and_all_samples() -> None:
    for service in REGISTRIES:
        http.IN_FLIGHT.labels(service).set(1)
    texts = [own_metrics(service) for service in REGISTRIES if service != "LLM"]
    shared = [line for line in texts[0].splitlines() if line.startswith("rag_http")]
    apart = [re.sub(r"^rag_http.*\n", "", text, flags=re.M) for text in texts[1:]]
    whole = merged([texts[0], *apart])
    headings = [line for line in whole.splitlines() if line.startswith("#")]
    assert len(headings) == len(set(headings))
    assert {line for line in whole.splitlines() if line.startswith("rag_http")} == set(shared)
    assert {"rag_answers_total", "rag_jobs"} <= {line.split()[2] for line in headings}


def test_samples_of_one_metric_from_two_services_are_together() -> None:
    heading, other = "# HELP m Text.\n# TYPE m gauge\n", "# HELP n N.\n# TYPE n gauge\nn 3.0\n"
    whole = merged([heading + 'm{service="A"} 1.0\n', other, heading + 'm{service="B"} 2.0\n'])
    assert series(whole) == {'m{service="A"}': 1.0, 'm{service="B"}': 2.0, "n": 3.0}
    assert len(list(text_string_to_metric_families(whole))) == 2


def test_the_llm_service_passes_vllms_metrics_on_by_their_own_names() -> None:
    counter = Counter("vllm:things", "Things.", registry=REGISTRY)
    try:
        counter.inc()
        assert "vllm:things_total 1.0" in own_metrics("LLM")
        assert "python_info" not in own_metrics("LLM")
        assert "vllm:things_total" not in own_metrics("RAG")
    finally:
        REGISTRY.unregister(counter)


@pytest.mark.parametrize("service", REGISTRIES)
def test_labelled_metrics_with_known_values_exist_before_their_first_use(service: str) -> None:
    """Rates and alerts need the zero before the first event."""
    text = own_metrics(service)
    for registry in REGISTRIES[service][1:]:
        for family in registry.collect():
            if family.name not in ("rag_jobs", "rag_batches", "rag_service_ready"):  # set at each scrape or probe
                assert re.search(rf"^{family.name}", text, re.M), family.name
