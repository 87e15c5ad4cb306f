"""A lock that is acquired in the order in which threads asked for it."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

_HANDED_OVER = -1
"""The owner after one thread has released the lock and before the next one runs."""


class FifoLock:
    """A fair, reentrant lock. With `threading.RLock`, a thread that acquires in a loop can starve others."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self._mutex:
            if self._owner in (None, thread):
                self._owner, self._depth = thread, self._depth + 1
                return
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        gate.acquire()  # released by the previous owner, who hands the lock over
        self._owner, self._depth = thread, 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._mutex:
            self._depth -= 1
            if self._depth:
                return
            if not self._waiting:
                self._owner = None
                return
            self._owner = _HANDED_OVER
            self._waiting.popleft().release()
