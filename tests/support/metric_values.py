"""Reads metrics in the text format of Prometheus, and the definitions of this project's metrics."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from rag.telemetry.exposition import REGISTRIES, own_metrics


def series(text: str) -> dict[str, float]:
    """Values by series, written as `name{label="value"}` with sorted labels. Fails if a series occurs twice."""
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in values, key
            values[key] = sample.value
    return values


class Changes:
    """What has been added to the metrics of a service in this process since this object was made."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._before = series(own_metrics(service))

    def __getitem__(self, key: str) -> float:
        return series(own_metrics(self._service)).get(key, 0.0) - self._before.get(key, 0.0)


def definitions() -> dict[str, Metric]:
    """All metrics of this project by the name that their documentation and Prometheus's queries use."""
    families = [family for registries in REGISTRIES.values() for each in registries for family in each.collect()]
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in families}
