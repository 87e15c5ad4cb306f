"""Statistics, the table of ratios, and the JSON file."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.harness.reports.environment import machine, versions


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One figure, compared with its baseline."""

    cell: str
    what: str
    unit: str
    ours: float
    theirs: float | None = None
    """The baseline's figure in the same run."""
    ratio: float | None = None
    """Ours divided by theirs."""
    at_least: float | None = None
    """Target for the ratio, or for `ours` if there is no ratio."""
    at_most: float | None = None
    note: str = ""

    @property
    def judged(self) -> float:
        return self.ours if self.ratio is None else self.ratio

    @property
    def is_met(self) -> bool | None:
        """None if there is no target."""
        if self.at_least is None and self.at_most is None:
            return None
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= self.judged <= high


@dataclass(frozen=True, slots=True)
class CellResult:
    """Rows and details of one measured cell."""

    rows: list[ReportRow]
    details: dict[str, Any] = field(default_factory=dict)


def percentile(values: Sequence[float], q: float) -> float:
    """Nearest-rank percentile; NaN for no values."""
    if not values:
        return math.nan
    rank = math.ceil(q / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Count, mean, p50 and p95."""
    mean = statistics.fmean(values) if values else math.nan
    named = {"mean": mean, "p50": percentile(values, 50), "p95": percentile(values, 95)}
    return {"n": len(values), **{name: round(value, 3) for name, value in named.items()}}


def spread(values: Sequence[float]) -> float:
    """Relative spread of repeated measurements: (max - min) / mean."""
    if len(values) < 2:
        return 0.0
    return (max(values) - min(values)) / statistics.fmean(values)


def compare(cell: str, what: str, unit: str, ours: float, theirs: float, **options: Any) -> ReportRow:
    """A row with the ratio of ours to theirs."""
    return ReportRow(cell, what, unit, ours, theirs, ours / theirs if theirs else math.nan, **options)


def show(rows: Iterable[ReportRow], console: Console) -> None:
    table = Table(title="One run on one machine: compare the ratios, not the absolute figures", title_justify="left")
    for name in ("cell", "what", "ours", "theirs", "unit", "ratio", "aim", "met", "note"):
        table.add_column(name, justify="right" if name in ("ours", "theirs", "ratio") else "left")
    for row in rows:
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[row.is_met]
        figures = (_figure(row.ours), _figure(row.theirs), row.unit, _ratio(row.ratio), target(row), met, row.note)
        table.add_row(row.cell, row.what, *figures)
    console.print(table)


def target(row: ReportRow) -> str:
    parts = [f">= {row.at_least:g}"] if row.at_least is not None else []
    parts += [f"<= {row.at_most:g}"] if row.at_most is not None else []
    return " ".join(parts)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def as_json(results: dict[str, CellResult], about: dict[str, Any]) -> dict[str, Any]:
    """The whole run. NaN and infinity become null, because JSON has neither."""
    cells = {name: {"rows": [_row(row) for row in r.rows], "details": r.details} for name, r in results.items()}
    whole: dict[str, Any] = _finite({"about": {**environment(), **about}, "cells": cells})
    return whole


def _row(row: ReportRow) -> dict[str, Any]:
    return {**asdict(row), "is_met": row.is_met}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def environment() -> dict[str, Any]:
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"date": date, **machine(), "versions": versions()}


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
