"""Queries to choose on, and queries to report on: two halves that never change places."""

from __future__ import annotations

import hashlib

from evals.harness.eval_set import EvalSet


def halves(chosen: EvalSet, seed: int) -> tuple[EvalSet, EvalSet]:
    """The half to tune on, and the half to report on. Where a query falls depends on its id and the seed alone."""
    tune = {query.query_id for query in chosen.queries if _is_for_tuning(query.query_id, seed)}
    rest = {query.query_id for query in chosen.queries} - tune
    return chosen.only(tune), chosen.only(rest)


def _is_for_tuning(query_id: str, seed: int) -> bool:
    return hashlib.sha256(f"{seed}:{query_id}".encode()).digest()[0] % 2 == 0
