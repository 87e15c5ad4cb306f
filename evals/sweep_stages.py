"""The stages of the sweep. Each starts from the best options so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Options = Mapping[str, Any]
"""The `retrieval` object of a request."""

START: Options = {
    "fusion": "weights",
    "weights": {"dense": 1.0, "keyword": 1.0},
    "candidates": 20,
    "duplicates": 1.0,
    "rerank": False,
}
_KEYWORD_WEIGHTS = (0.25, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0, 4.0)
"""Weights tried for the keyword path; the dense path has 1."""


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    tries: Callable[[Options], Sequence[Options]]
    """From the best options so far: the options to try, simplest and cheapest first."""
    is_slow: bool = False
    """Its requests take about a second, so fewer queries are used."""


def _changed(best: Options, **changes: Any) -> Options:
    return {**best, **changes}


def _fusion(best: Options) -> list[Options]:
    weights = [_weighted(best, keyword) for keyword in _KEYWORD_WEIGHTS]
    return [*weights, *(_rrf(best, k) for k in (5, 10, 20, 60, 100))]


def _weighted(best: Options, keyword: float) -> Options:
    return _changed(best, fusion="weights", weights={"dense": 1.0, "keyword": keyword})


def _rrf(best: Options, k: int) -> Options:
    return _changed(best, fusion="rrf", rrf_k=k, weights={"dense": 1.0, "keyword": 1.0})


def _candidates(best: Options) -> list[Options]:
    return [_changed(best, candidates=count) for count in (10, 20, 30, 50, 100, 200)]


def _weights_again(best: Options) -> list[Options]:
    """The number of candidates changes the normalised scores, and with them the best weights."""
    if best["fusion"] == "rrf":
        return [_changed(best, weights={"dense": 1.0, "keyword": weight}) for weight in (0.5, 0.8, 1.0, 1.25, 2.0)]
    middle = best["weights"]["keyword"]
    return [_weighted(best, round(middle * factor, 3)) for factor in (0.7, 0.85, 1.0, 1.2, 1.4)]


def _duplicates(best: Options) -> list[Options]:
    return [_changed(best, duplicates=threshold) for threshold in (1.0, 0.95, 0.9, 0.8, 0.7)]


def _rerank(best: Options) -> list[Options]:
    """Includes more candidates: the reranker may find relevant passages among them."""
    on = [
        _changed(best, rerank=True, rerank_top_n=count, rerank_weight=weight, candidates=candidates)
        for candidates in dict.fromkeys((best["candidates"], 50))
        for count in (10, 20, 30)
        for weight in (0.35, 0.5)
    ]
    return [best, *on]


def _weights_reranked(best: Options) -> list[Options]:
    return [best] if best["fusion"] == "rrf" else [_weighted(best, weight) for weight in (1.0, 1.25, 1.5, 2.0)]


STAGES = (
    Stage("fusion", _fusion),
    Stage("candidates", _candidates),
    Stage("weights again", _weights_again),
    Stage("duplicates", _duplicates),
    Stage("rerank", _rerank, is_slow=True),
    Stage("weights, reranked", _weights_reranked, is_slow=True),
)
