"""What a threshold on the best cosine would do: unanswerable questions refused, and the cost in answerable ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.types import JsonObject

_STEP = 100
"""Thresholds in a unit of cosine."""
NOTHING_FOUND = -1.0
"""In place of a cosine, where there is no hit at all: below every threshold."""


@dataclass(frozen=True, slots=True)
class Point:
    min_cosine: float
    abstained: float
    """Part of the unanswerable questions that get no answer."""
    answered: float
    """Part of the answerable ones that get one."""


@dataclass(frozen=True, slots=True)
class Curve:
    points: tuple[Point, ...]
    auroc: float
    """Chance that an answerable question has a better best cosine than an unanswerable one; 0.5 says nothing."""
    best: Point
    """Where the sum of both parts is largest (Youden's index)."""


def best_cosine(hits: Sequence[JsonObject]) -> float | None:
    """What `min_cosine` is held against, from hits that are explained. None: no path of this search has a cosine."""
    if not hits:
        return NOTHING_FOUND
    cosines = [float(hit["explain"]["cosine"]) for hit in hits if hit["explain"].get("cosine") is not None]
    return max(cosines, default=None)


def curve(answerable: Mapping[str, float], unanswerable: Mapping[str, float]) -> Curve:
    """Of best cosines by question id; neither may be empty."""
    from scipy.stats import mannwhitneyu

    yes, no = list(answerable.values()), list(unanswerable.values())
    points = tuple(_point(step / _STEP, yes, no) for step in range(_STEP + 1))
    auroc = float(mannwhitneyu(yes, no).statistic) / (len(yes) * len(no))
    return Curve(points, auroc, max(points, key=lambda point: point.abstained + point.answered))


def _point(min_cosine: float, answerable: Sequence[float], unanswerable: Sequence[float]) -> Point:
    abstained = sum(cosine < min_cosine for cosine in unanswerable) / len(unanswerable)
    answered = sum(cosine >= min_cosine for cosine in answerable) / len(answerable)
    return Point(min_cosine, round(abstained, 6), round(answered, 6))
