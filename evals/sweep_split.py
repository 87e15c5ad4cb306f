"""A stable split of queries into a tuning half and a held-out half."""

from __future__ import annotations

import hashlib

from evals.harness.eval_set import EvalSet


def halves(chosen: EvalSet, seed: int) -> tuple[EvalSet, EvalSet]:
    """The tuning half and the held-out half. The half of a query depends only on its id and the seed."""
    tune = {query.query_id for query in chosen.queries if _is_for_tuning(query.query_id, seed)}
    rest = {query.query_id for query in chosen.queries} - tune
    return chosen.only(tune), chosen.only(rest)


def _is_for_tuning(query_id: str, seed: int) -> bool:
    return hashlib.sha256(f"{seed}:{query_id}".encode()).digest()[0] % 2 == 0
