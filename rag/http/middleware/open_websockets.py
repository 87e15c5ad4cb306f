"""The limit of open WebSockets, for each caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rag.auth.caller import Caller
from rag.errors import Overloaded


class OpenWebSockets:
    """Counts the WebSockets of this process.

    A connection without a request in progress is not among the requests that `max_in_flight` limits.
    """

    def __init__(self, max_of_caller: int) -> None:
        self._max_of_caller = max_of_caller
        self._open: Counter[str] = Counter()

    @contextmanager
    def opened_by(self, caller: Caller) -> Iterator[None]:
        """A context in which one more is open. Raises Overloaded if the caller has too many."""
        queue = caller.queue
        if self._open[queue] >= self._max_of_caller:
            raise Overloaded(f"{self._max_of_caller} of your WebSockets are already open; close one, or use fewer")
        self._open[queue] += 1
        try:
            yield
        finally:
            self._open -= Counter({queue: 1})  # forgets callers with none
