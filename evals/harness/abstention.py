"""Abstention by a threshold on a score: its effect on unanswerable and on answerable questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.types import JsonObject

_STEPS = 100
"""Number of thresholds between 0 and 1."""
NOTHING_FOUND = -1.0
"""Stands for the cosine if there is no hit: below every threshold."""


@dataclass(frozen=True, slots=True)
class Point:
    threshold: float
    abstained: float
    """Share of unanswerable questions that get no answer."""
    answered: float
    """Share of answerable questions that get an answer."""


@dataclass(frozen=True, slots=True)
class Curve:
    points: tuple[Point, ...]
    auroc: float
    """Probability that an answerable question has a higher score than an unanswerable one; 0.5 is chance."""
    best: Point
    """The threshold with the largest sum of both shares (Youden's index)."""


def best_cosine(hits: Sequence[JsonObject]) -> float | None:
    """The value that `min_cosine` is compared with, from explained hits. None if no search path yields a cosine."""
    if not hits:
        return NOTHING_FOUND
    cosines = [float(hit["explain"]["cosine"]) for hit in hits if hit["explain"].get("cosine") is not None]
    return max(cosines, default=None)


def curve(answerable: Mapping[str, float], unanswerable: Mapping[str, float]) -> Curve:
    """The abstention curve. Both mappings go from question id to score and must not be empty."""
    from scipy.stats import mannwhitneyu

    yes, no = list(answerable.values()), list(unanswerable.values())
    points = tuple(_point(step / _STEPS, yes, no) for step in range(_STEPS + 1))
    auroc = float(mannwhitneyu(yes, no).statistic) / (len(yes) * len(no))
    return Curve(points, auroc, max(points, key=lambda point: point.abstained + point.answered))


def _point(threshold: float, answerable: Sequence[float], unanswerable: Sequence[float]) -> Point:
    abstained = sum(score < threshold for score in unanswerable) / len(unanswerable)
    answered = sum(score >= threshold for score in answerable) / len(answerable)
    return Point(threshold, round(abstained, 6), round(answered, 6))
