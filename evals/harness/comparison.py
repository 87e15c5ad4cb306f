"""Figures of today against those of a baseline, query by query."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.harness import answers, ranking
from evals.harness.eval_set import BadInput
from evals.harness.report import FORMAT
from evals.harness.statistics import chance_of_loss
from rag.types import JsonObject

HEADLINES: Mapping[str, tuple[str, ...]] = {
    "retrieval": (ranking.NDCG_10, ranking.RECALL_10, ranking.RECALL_100, ranking.MRR_10),
    "answers": (answers.EXACT, answers.F1, answers.ABSTAINED, answers.ANSWERED),
}
"""A loss in any of them is a loss. Of each, higher is better."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    set_name: str
    config: str
    metric: str
    before: float
    after: float
    p: float
    """How likely so much of a loss is by chance alone."""
    n: int
    """Queries that both have."""

    @property
    def is_loss(self) -> bool:
        return self.after < self.before and self.p < SIGNIFICANT

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    """What makes the two less alike than they should be."""

    @property
    def losses(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.is_loss]


def read_baseline(path: Path) -> JsonObject:
    """A report that was written before. Raises BadInput."""
    try:
        baseline = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}: this is not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8") from None
    if not isinstance(baseline, dict) or not isinstance(baseline.get("sets"), dict):
        raise BadInput(f"{path}: this is no report of an evaluation")
    if baseline.get("format") != FORMAT:
        raise BadInput(f"{path}: its format is {baseline.get('format')}, and {FORMAT} is read here; make it anew")
    return baseline


def compare(baseline: JsonObject, report: JsonObject, seed: int) -> Comparison:
    """Raises BadInput when they have nothing in common."""
    differences = tuple(_differences(baseline, report, seed))
    if not differences:
        raise BadInput("the baseline has no set and configuration in common with this run: there is nothing to compare")
    return Comparison(differences, tuple(_warnings(baseline, report)))


def _differences(baseline: JsonObject, report: JsonObject, seed: int) -> Iterator[Difference]:
    for set_name, config, old, new in _pairs(baseline, report):
        for part, metrics in HEADLINES.items():
            for metric in metrics:
                before, after = _per_query(old, part, metric), _per_query(new, part, metric)
                common = [query_id for query_id in before if query_id in after]
                if not common:
                    continue
                was, now = ({i: values[i] for i in common} for values in (before, after))
                p = chance_of_loss(was, now, seed)
                yield Difference(set_name, config, metric, _mean(was), _mean(now), p, len(common))


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
            yield f"{set_name}: its documents, or how they are cut, are others than those of the baseline"
        elif old.get("hash") != new["hash"]:
            yield f"{set_name}: what is asked is not what was asked for the baseline"
        for config, result in new["configurations"].items():
            if (set_name, config) not in compared:
                yield f"{set_name}: the baseline has no configuration {config}"
            elif old["configurations"][config].get("request") != result["request"]:
                yield f"{set_name}, {config}: the baseline was made with other options"
