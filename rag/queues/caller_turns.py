"""Limits the concurrent requests of each caller while other callers are active."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable

from rag.errors import Overloaded
from rag.queues.fair_order import FairOrder
from rag.telemetry.queues import QueueMetrics

_ACTIVE_S = 10.0
"""A caller is active for this long after its last request."""
_LONGEST_TURN_S = 1.0
_ENDING_S = 0.1
_MAX_WAITING = 256
"""Requests of one caller."""
_RETRY_AFTER_S = 1


class Turn:
    """A place among the requests of a caller that are worked on."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Callable[[], None] | None = end
        self._expiry = asyncio.get_running_loop().call_later(_LONGEST_TURN_S, self.end)

    def end_soon(self) -> None:
        """Let the next request begin within a tenth of a second: what is left of this one is short, or waits for
        something.
        """
        if self._end is not None:
            self._expiry.cancel()
            self._expiry = asyncio.get_running_loop().call_later(_ENDING_S, self.end)

    def end(self) -> None:
        """Let the caller's next request begin; nothing if the turn has ended already."""
        self._expiry.cancel()
        end, self._end = self._end, None
        if end is not None:
            end()


class CallerTurns:
    """Limits the requests of each caller that compute, as long as another caller is active.

    The queues of the stages are fair, but a request also needs the CPU between them, to parse its body and to write its
    answer. One caller's requests could keep all cores busy and slow down everyone else. The limit leaves a core for
    them. A single active caller is not limited.

    A turn ends after a second at the latest: a request that takes longer waits for something, such as a slow client.

    For one event loop.

    Args:
        each: Requests of one caller that have a turn at the same time.
        max_wait_s: How long a request may wait for its turn.
        clock: Returns seconds, for tests.
    """

    def __init__(self, each: int, *, max_wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._each = each
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._waiting: FairOrder[asyncio.Future[Turn]] = FairOrder()
        self._last_seen: OrderedDict[str, float] = OrderedDict()
        """When each caller sent its last request; the latest comes last."""
        self._metrics = QueueMetrics("requests")
        self._note()

    @contextlib.asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[Turn]:
        """A context that begins with the caller's turn, and ends it.

        Raises:
            Overloaded: on entering, if too many of its requests are waiting, or this one has waited for too long.
        """
        self._see(caller)
        started = self._clock()
        turn = self._begin(caller) if self._has_room(caller) else await self._wait(caller)
        self._metrics.began(self._clock() - started)
        try:
            yield turn
        finally:
            turn.end()

    async def _wait(self, caller: str) -> Turn:
        if self._waiting.count(caller) >= _MAX_WAITING:
            self._metrics.refused("caller_full")
            raise Overloaded(f"{_MAX_WAITING} of your requests are waiting already", retry_after_s=_RETRY_AFTER_S)
        begun: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.add(caller, begun)
        self._note()
        try:
            async with asyncio.timeout(self._max_wait_s):
                return await asyncio.shield(begun)
        except BaseException as error:
            self._give_up(caller, begun)
            if not isinstance(error, TimeoutError):
                raise
        self._metrics.refused("timeout")
        why = f"the request waited for {self._max_wait_s:g} s behind others of yours"
        raise Overloaded(why, retry_after_s=_RETRY_AFTER_S)

    def _give_up(self, caller: str, begun: asyncio.Future[Turn]) -> None:
        if begun.done():
            begun.result().end()
        else:
            self._waiting.remove(caller, begun)
            self._note()

    def _see(self, caller: str) -> None:
        now = self._clock()
        self._last_seen[caller] = now
        self._last_seen.move_to_end(caller)
        while now - next(iter(self._last_seen.values())) > _ACTIVE_S:
            self._last_seen.popitem(last=False)

    def _is_alone(self, caller: str) -> bool:
        since = self._clock() - _ACTIVE_S
        return not any(seen >= since for each, seen in self._latest_two() if each != caller)

    def _latest_two(self) -> list[tuple[str, float]]:
        return [item for item, _ in zip(reversed(self._last_seen.items()), range(2), strict=False)]

    def _has_room(self, caller: str) -> bool:
        return self._running[caller] < self._each or self._is_alone(caller)

    def _begin(self, caller: str) -> Turn:
        self._running[caller] += 1
        self._note()
        return Turn(lambda: self._end(caller))

    def _end(self, caller: str) -> None:
        self._running -= Counter({caller: 1})  # forgets callers with none
        while self._waiting.count(caller) and self._has_room(caller):
            self._waiting.take(caller).set_result(self._begin(caller))
        self._note()

    def _note(self) -> None:
        self._metrics.changed(waiting=len(self._waiting), in_use=self._running.total(), capacity=self._each)
