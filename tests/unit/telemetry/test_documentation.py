"""docs/operations.md lists every metric as it is defined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rag.telemetry.exposition import REGISTRIES
from tests.support.metric_values import definitions

OPERATIONS = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def table() -> str:
    rows = []
    for name, family in definitions().items():
        labels = ", ".join(f"`{label}`" for label in labels_of(name.removesuffix("_total")))
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows])


def labels_of(name: str) -> tuple[str, ...]:
    registries = {each for several in REGISTRIES.values() for each in several}
    collectors: list[Any] = [c for each in registries for c in list(each._collector_to_names)]
    return next(collector._labelnames for collector in collectors if collector._name == name)


def test_the_table_of_metrics_matches_the_definitions() -> None:
    assert table() in OPERATIONS, f"replace the table by:\n{table()}"


def test_every_metric_in_the_text_is_defined() -> None:
    known = definitions().keys()
    for name in re.findall(r"\brag_[a-z_]+", OPERATIONS):
        assert re.sub(r"_(bucket|sum|count)$", "", name) in known or name == "rag_default", name
