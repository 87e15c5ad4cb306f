"""Read leases: while a question holds one, the janitor deletes no rows that the question may need."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_MAX_QUESTION_S = 120.0


class ReadLease:
    """The leases of all questions in progress.

    A question holds one from before it reads the store's revision until it has its hits. Safe for several threads.
    """

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

    def wait_for_those_before(self, timeout_s: float = _MAX_QUESTION_S) -> bool:
        """Wait until all leases held at this moment are released. Returns False on timeout."""
        with self._changed:
            before = frozenset(self._held)
            return self._changed.wait_for(lambda: not (before & self._held), timeout_s)
