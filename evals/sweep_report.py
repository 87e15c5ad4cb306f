"""The result of a sweep, as JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.harness.reports.report import markdown_table
from rag.types import JsonObject


def write(result: JsonObject, to: Path) -> None:
    """Write TO.json and TO.md."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.with_suffix(".json").write_text(json.dumps(_rounded(result), indent=1) + "\n")
    to.with_suffix(".md").write_text("\n\n".join(_parts(result)) + "\n")


def _parts(result: JsonObject) -> list[str]:
    metric = result["metric"]
    state = "" if result["finished"] else " It was stopped before it finished."
    parts = [
        "# Sweep",
        f"Chosen by {metric} on one half of the queries of {result['set']} (split by hash, seed {result['seed']}); the "
        f"other half and the other sets were only used for reporting.{state}",
        f"Chosen: `{json.dumps(result['best'])}`",
    ]
    if result.get("report"):
        names = [name for name, value in result["report"][0].items() if isinstance(value, dict)]
        rows = [
            [row["set"], str(row["queries"]), row["configuration"], *_figures(row, names)] for row in result["report"]
        ]
        parts += ["## On held-out queries", markdown_table(["set", "queries", "configuration", *names], rows)]
    for stage in result["stages"]:
        varied = _varied([row["options"] for row in stage["tried"]])
        tried = [
            [*(json.dumps(row["options"].get(name)) for name in varied), str(row["queries"]), f"{row[metric]:.4f}"]
            for row in stage["tried"]
        ]
        parts += [f"## {stage['name'].capitalize()}", markdown_table([*varied, "queries", metric], tried)]
    return parts


def _figures(row: JsonObject, names: Iterable[str]) -> list[str]:
    return [f"{row[name]['mean']:.4f} ({row[name]['low']:.3f}-{row[name]['high']:.3f})" for name in names]


def _varied(options: Sequence[JsonObject]) -> list[str]:
    names = dict.fromkeys(name for one in options for name in one)
    return [name for name in names if len({json.dumps(one.get(name)) for one in options}) > 1]


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 5) if isinstance(value, float) else value
