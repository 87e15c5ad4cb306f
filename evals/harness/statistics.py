"""Means with confidence intervals, percentiles, and a significance test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_RESAMPLES = 2_000
_PERMUTATIONS = 9_999


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % confidence interval, by percentile bootstrap over the queries."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency in milliseconds, measured by the client."""

    p50: float
    p95: float
    mean: float
    n: int


def mean(values: Sequence[float], seed: int) -> Mean:
    import numpy as np
    from scipy.stats import bootstrap

    middle = math.fsum(values) / len(values)
    if len(set(values)) == 1:
        return Mean(middle, middle, middle, len(values))
    found = bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, batch=200, method="percentile", rng=np.random.default_rng(seed)
    )
    low, high = found.confidence_interval
    return Mean(middle, float(low), float(high), len(values))


def latency(milliseconds: Sequence[float]) -> Latency | None:
    """None if there are no requests."""
    if not milliseconds:
        return None
    import numpy as np

    p50, p95 = (round(float(value), 2) for value in np.percentile(milliseconds, [50, 95]))
    return Latency(p50, p95, round(math.fsum(milliseconds) / len(milliseconds), 2), len(milliseconds))


def loss_p_value(before: Mapping[str, float], after: Mapping[str, float], seed: int) -> float:
    """The p-value of a one-sided paired permutation test for a loss. Both mappings must have the same keys."""
    import numpy as np
    from scipy.stats import permutation_test

    differences = [after[key] - value for key, value in before.items()]
    changed = [difference for difference in differences if difference]
    if not changed:
        return 1.0
    # Pairs without a difference do not affect the result. scipy requires at least two pairs.
    found = permutation_test(
        (changed if len(changed) > 1 else [*changed, 0.0],),
        np.sum,
        permutation_type="samples",
        alternative="less",
        n_resamples=_PERMUTATIONS,
        batch=500,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)
