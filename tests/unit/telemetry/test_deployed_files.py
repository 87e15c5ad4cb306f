"""The dashboard and the alerts in deploy/ name only metrics and labels that exist, and each alert is in the runbook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.metric_values import definitions
from tests.unit.telemetry.test_documentation import labels_of

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
SELECTOR = re.compile(r"((?:rag_|vllm:)[a-z_]+)(?:{([^}]*)})?")
GROUPING = re.compile(r"\bby \(([^)]*)\)")
ADDED_BY_PROMETHEUS = {"le", "instance", "job"}


QUERIES: dict[str, str] = {
    **{alert["alert"]: alert["expr"] for alert in ALERTS},
    **{f"{p['title']} {t['refId']}": t["expr"] for p in DASHBOARD["panels"] for t in p.get("targets", ())},
}


def defined(name: str) -> str:
    """The definition that a name in a query belongs to: histograms have three series."""
    shorter = re.sub(r"_(bucket|sum|count)$", "", name)
    found = definitions().get(shorter)
    return shorter if found is not None and found.type == "histogram" else name


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_existing_metrics_and_labels(query: str) -> None:
    selected = SELECTOR.findall(query)
    assert selected
    for name, matchers in selected:
        if name.startswith("vllm:"):
            continue
        assert defined(name) in definitions(), name
        labels = set(labels_of(defined(name).removesuffix("_total")))
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers)) <= labels
        for grouping in GROUPING.findall(query):
            assert set(grouping.replace(" ", "").split(",")) <= labels | ADDED_BY_PROMETHEUS


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_counter_is_only_read_as_a_rate(query: str) -> None:
    for name, _ in SELECTOR.findall(query):
        if name.endswith(("_total", "_bucket")):
            assert re.search(rf"(rate|increase)\({re.escape(name)}", query), name


def test_vllms_metrics_exist_in_this_vllm() -> None:
    """Their names are constants of vLLM; importing it takes half a minute."""
    from importlib.util import find_spec

    found = find_spec("vllm")
    assert found is not None
    assert found.origin is not None
    source = (Path(found.origin).parent / "v1" / "metrics" / "loggers.py").read_text()
    names = {name for query in QUERIES.values() for name, _ in SELECTOR.findall(query) if name.startswith("vllm:")}
    assert names
    for name in names:
        assert f'"{name.removesuffix("_total")}"' in source, name


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {defined(name) for query in QUERIES.values() for name, _ in SELECTOR.findall(query)}
    assert definitions().keys() <= shown


def test_every_alert_has_an_entry_in_the_runbook() -> None:
    entries = re.findall(r"^### (Rag\w+)$", RUNBOOK, re.M)
    assert entries == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{alert['alert'].lower()}"
        assert alert["labels"]["severity"] in ("critical", "warning", "info")
        assert alert["annotations"]["summary"][-1] == "."


def test_error_codes_in_queries_exist() -> None:
    from rag.errors import all_errors

    codes = {error.code for error in all_errors()}
    for query in QUERIES.values():
        for value in re.findall(r'code=~?"([^"]+)"', query):
            assert set(value.split("|")) <= codes


def test_panels_do_not_overlap() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
