"""How long callers have used a stage lately."""

from __future__ import annotations

import time
from collections.abc import Callable

_HALF_LIFE_S = 10.0
_LEAST_S = 1e-3
"""A caller that has used less counts as one that has used nothing."""


class RecentUse:
    """Seconds of use by each caller, with exponential decay: they are halved every ten seconds.

    Args:
        clock: Returns seconds, for tests.
    """

    def __init__(self, half_life_s: float = _HALF_LIFE_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._half_life_s = half_life_s
        self._clock = clock
        self._used_s: dict[str, float] = {}
        self._as_of = clock()

    def __len__(self) -> int:
        return len(self._used_s)

    def add(self, caller: str, used_s: float) -> None:
        now = self._clock()
        left = 0.5 ** ((now - self._as_of) / self._half_life_s)
        self._used_s = {each: s * left for each, s in self._used_s.items() if s * left > _LEAST_S}
        self._used_s[caller] = self._used_s.get(caller, 0.0) + used_s
        self._as_of = now

    def of(self, caller: str) -> float:
        """Its seconds as of the last `add`. Compare them only with those of other callers at the same moment."""
        return self._used_s.get(caller, 0.0)
