"""Which callers have used a stage lately."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

_WINDOW_S = 10.0


class RecentCallers:
    """Callers of the last seconds. Those of an earlier time are forgotten.

    Args:
        clock: Returns seconds, for tests.
    """

    def __init__(self, window_s: float = _WINDOW_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._seen_at: OrderedDict[str, float] = OrderedDict()
        """The longest unseen caller comes first."""

    def __len__(self) -> int:
        return len(self._seen_at)

    def note(self, caller: str) -> None:
        """Note that the caller uses the stage now."""
        self._seen_at[caller] = self._clock()
        self._seen_at.move_to_end(caller)
        self._forget()

    def has_others(self, caller: str) -> bool:
        """Whether anyone but the caller has used the stage lately."""
        self._forget()
        return any(each != caller for each in self._seen_at)

    def _forget(self) -> None:
        earliest = self._clock() - self._window_s
        while self._seen_at and next(iter(self._seen_at.values())) < earliest:
            self._seen_at.popitem(last=False)
