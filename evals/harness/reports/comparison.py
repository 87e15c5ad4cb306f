"""Comparison of a report with a baseline, query by query."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.harness import answers, ranking
from evals.harness.eval_set import InputError
from evals.harness.reports.report import FORMAT
from evals.harness.statistics import loss_p_value
from rag.types import JsonObject

COMPARED_METRICS: Mapping[str, tuple[str, ...]] = {
    "retrieval": (ranking.NDCG_10, ranking.RECALL_10, ranking.RECALL_100, ranking.MRR_10),
    "answers": (answers.EXACT, answers.F1, answers.ABSTAINED, answers.ANSWERED),
}
"""Metrics in which a significant loss counts. Higher is better for all."""
SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    set_name: str
    config: str
    metric: str
    before: float
    after: float
    p: float
    """One-sided p-value of the loss."""
    n: int
    """Number of queries that both have."""

    @property
    def is_loss(self) -> bool:
        return self.after < self.before and self.p < SIGNIFICANCE_LEVEL

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    """Differences in documents, queries or options that limit the comparison."""

    @property
    def losses(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.is_loss]


def read_baseline(path: Path) -> JsonObject:
    """Read an earlier report. Raises InputError."""
    try:
        baseline = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: invalid JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not valid UTF-8") from None
    if not isinstance(baseline, dict) or not isinstance(baseline.get("sets"), dict):
        raise InputError(f"{path}: not an evaluation report")
    if baseline.get("format") != FORMAT:
        raise InputError(
            f"{path}: format {baseline.get('format')} is not supported (expected {FORMAT}): create the report again"
        )
    return baseline


def compare(baseline: JsonObject, report: JsonObject, seed: int) -> Comparison:
    """Raises InputError if they have no set and configuration in common."""
    differences = tuple(_differences(baseline, report, seed))
    if not differences:
        raise InputError("the baseline has no set and configuration in common with this run: nothing to compare")
    return Comparison(differences, tuple(_warnings(baseline, report)))


def _differences(baseline: JsonObject, report: JsonObject, seed: int) -> Iterator[Difference]:
    for set_name, config, old, new in _pairs(baseline, report):
        for part, metrics in COMPARED_METRICS.items():
            for metric in metrics:
                before, after = _per_query(old, part, metric), _per_query(new, part, metric)
                common = [query_id for query_id in before if query_id in after]
                if not common:
                    continue
                old_values, new_values = ({i: values[i] for i in common} for values in (before, after))
                p = loss_p_value(old_values, new_values, seed)
                yield Difference(set_name, config, metric, _mean(old_values), _mean(new_values), p, len(common))


def _mean(values: Mapping[str, float]) -> float:
    return math.fsum(values.values()) / len(values)


def _pairs(baseline: JsonObject, report: JsonObject) -> Iterator[tuple[str, str, JsonObject, JsonObject]]:
    for set_name, new in report["sets"].items():
        old = baseline["sets"].get(set_name, {}).get("configurations", {})
        for config, result in new["configurations"].items():
            if config in old:
                yield set_name, config, old[config], result


def _per_query(result: JsonObject, part: str, metric: str) -> Mapping[str, float]:
    values: Any = ((result.get(part) or {}).get("per_query") or {}).get(metric) or {}
    return values if isinstance(values, dict) else {}


def _warnings(baseline: JsonObject, report: JsonObject) -> Iterator[str]:
    compared = {(set_name, config) for set_name, config, _, _ in _pairs(baseline, report)}
    for set_name, new in report["sets"].items():
        old = baseline["sets"].get(set_name)
        if old is None:
            yield f"{set_name} is not in the baseline"
            continue
        if old.get("corpus_hash") != new["corpus_hash"]:
            yield f"{set_name}: its documents or their chunking differ from the baseline"
        elif old.get("hash") != new["hash"]:
            yield f"{set_name}: its queries or questions differ from the baseline"
        for config, result in new["configurations"].items():
            if (set_name, config) not in compared:
                yield f"{set_name}: the baseline has no configuration {config}"
            elif old["configurations"][config].get("request") != result["request"]:
                yield f"{set_name}, {config}: the options differ from the baseline"
