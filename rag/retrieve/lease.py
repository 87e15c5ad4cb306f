"""Which questions are in work, so that nothing is removed under them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_QUESTION_S = 120.0


class ReadLease:
    """A question holds a lease from before it reads the store's revision until it has its hits."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._held: set[int] = set()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._changed:
            number = next(self._numbers)
            self._held.add(number)
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(number)
                self._changed.notify_all()

    def wait_for_those_before(self, timeout_s: float = _LONGEST_QUESTION_S) -> bool:
        """Wait until every question that is in work now has ended; whether they have."""
        with self._changed:
            before = frozenset(self._held)
            return self._changed.wait_for(lambda: not (before & self._held), timeout_s)
