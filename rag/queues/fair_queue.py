"""A queue in front of a stage: bounded, with a deadline, and fair between callers."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from rag.errors import Overloaded
from rag.queues.fair_order import FairOrder
from rag.queues.recent_use import RecentUse
from rag.queues.shares import Shares
from rag.telemetry.queues import QueueMetrics, Reason, Stage

_LONGEST_RETRY_S = 60
_PATIENCE_BY_TIME = 4
_SMOOTHING = 0.2
"""Weight of the latest duration in the average."""


@dataclass(slots=True, eq=False)
class _Request:
    caller: str
    cost: int
    is_background: bool
    begun: asyncio.Future[None]
    is_running: bool = False
    passed_over: int = 0
    """Total cost of the other callers' work that has overtaken this request."""

    def begin(self) -> None:
        self.is_running = True
        if not self.begun.done():  # else its task has been cancelled, and will pass the turn on
            self.begun.set_result(None)


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Limits of a queue for each caller, and the order in which callers begin.

    Args:
        headroom: Fraction of the capacity that is kept free for callers that use little; see `Shares`.
        max_waiting: Requests of one caller that may wait; all callers together may have four times as many. None: any.
        max_wait_s: How long a request may wait; None: as long as it takes.
        by_time: Whether callers that have used the stage for less time lately go first, instead of taking turns.
    """

    headroom: float = 0.0
    max_waiting: int | None = None
    max_wait_s: float | None = None
    by_time: bool = False


class FairQueue:
    """Runs as much work at the same time as the capacity allows; the rest waits, and callers take turns.

    Work that is expected to wait too long is refused at once. Cancelled work leaves the queue. Large work does not
    starve: once other work of the size of the whole capacity (four times that with `by_time`) has overtaken it, it is
    next.

    For one event loop.

    Args:
        stage: Its name in metrics and messages.
        capacity: Total cost of the work that runs at the same time.
        clock: Returns seconds, for tests.
    """

    def __init__(
        self,
        stage: Stage,
        capacity: int,
        limits: QueueLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage = stage
        self._limits = limits or QueueLimits()
        self._shares = Shares(capacity, self._limits.headroom)
        self._waiting: FairOrder[_Request] = FairOrder()
        self._metrics = QueueMetrics(stage)
        self._clock = clock
        self._use = RecentUse(clock=clock)
        self._mean_s = 0.0
        """Average duration of work, for estimates; 0 until some has ended."""
        self._begin_next()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def used(self) -> int:
        """Cost of the work that runs now."""
        return self._shares.used

    @property
    def is_full(self) -> bool:
        """Whether the queue is full, so that even a new caller would be refused."""
        most = self._limits.max_waiting
        return most is not None and self.waiting >= 4 * most

    def resize(self, capacity: int) -> None:
        """Change the capacity. Work that runs is not affected."""
        if capacity != self._shares.capacity:
            self._shares.resize(capacity, self._limits.headroom)
            self._begin_next()

    @contextlib.asynccontextmanager
    async def slot(self, caller: str, cost: int = 1, *, is_background: bool = False) -> AsyncIterator[None]:
        """A context in which work of this cost may run; entering it waits for the caller's turn.

        Args:
            cost: More than one caller may use counts as that.
            is_background: Whether it may only begin when no other work could.

        Raises:
            Overloaded: on entering, if it cannot begin in time; says when to try again.
        """
        begun = asyncio.get_running_loop().create_future()
        request = _Request(caller, min(cost, self._shares.most), is_background, begun)
        await self._wait_for_turn(request)
        started = self._clock()
        try:
            yield
        finally:
            self._note_duration(request, self._clock() - started)
            self._leave(request)

    async def _wait_for_turn(self, request: _Request) -> None:
        started = self._clock()
        self._refuse_if_full(request.caller)
        expected_s = self._expected_wait_s(request)
        self._waiting.add(request.caller, request)
        self._begin_next()
        try:
            self._refuse_if_late(request, expected_s)
            async with asyncio.timeout(self._limits.max_wait_s):
                await request.begun
        except TimeoutError:
            if not request.is_running:
                self._leave(request)
                why = f"did not begin within {self._limits.max_wait_s:g} s"
                raise self._refusal("timeout", why, expected_s) from None
        except BaseException:
            self._leave(request)
            raise
        self._metrics.began(self._clock() - started)

    def _begin_next(self) -> None:
        while (request := self._next()) is not None:
            self._waiting.take(request.caller)
            for caller, first in self._waiting.firsts():
                if caller != request.caller and self._shares.has_own_room(caller, first.cost):
                    first.passed_over += request.cost
            self._shares.begin(request.caller, request.cost)
            request.begin()
        self._metrics.changed(waiting=self.waiting, in_use=self.used, capacity=self._shares.capacity)

    def _next(self) -> _Request | None:
        """The request that begins next, if there is room for any."""
        in_turn = sorted((first for _, first in self._waiting.firsts()), key=lambda first: first.is_background)
        patience = self._shares.capacity * (_PATIENCE_BY_TIME if self._limits.by_time else 1)
        overdue = next((each for each in in_turn if each.passed_over >= patience), None)
        for request in sorted(in_turn, key=self._rank):
            if self._may_overtake(request, overdue) and self._shares.has_room(request.caller, request.cost):
                return request
        return None

    def _rank(self, request: _Request) -> tuple[bool, float]:
        """Lower ranks begin first; of equal ones, the one whose turn it is."""
        return request.is_background, self._use.of(request.caller) if self._limits.by_time else 0.0

    def _may_overtake(self, request: _Request, overdue: _Request | None) -> bool:
        """Whether the request may begin before the one that has been passed over long enough."""
        if overdue is None or overdue is request:
            return True
        if self._shares.is_small(overdue.caller, overdue.cost):
            return False
        return self._shares.fits_headroom(request.caller, request.cost)

    def _leave(self, request: _Request) -> None:
        if request.is_running:
            self._shares.end(request.caller, request.cost)
        else:
            self._waiting.remove(request.caller, request)
        self._begin_next()

    def _refuse_if_full(self, caller: str) -> None:
        most = self._limits.max_waiting
        if most is None:
            return
        if self._waiting.count(caller) >= most:
            raise self._refusal("caller_full", f"{most} of your requests are waiting already", self._mean_s)
        if self.is_full:
            raise self._refusal("full", f"{self.waiting} requests are waiting already", self._mean_s)

    def _refuse_if_late(self, request: _Request, expected_s: float) -> None:
        longest_s = self._limits.max_wait_s
        if longest_s is not None and not request.is_running and expected_s > longest_s:
            raise self._refusal("late", f"would have to wait for about {expected_s:.0f} s", expected_s - longest_s)

    def _expected_wait_s(self, request: _Request) -> float:
        """How long a new request will wait, if work takes as long as before."""
        ahead = sum(each.cost for each in self._waiting.ahead_of_next(request.caller)) + request.cost
        return ahead * self._mean_s / self._shares.capacity

    def _note_duration(self, request: _Request, took_s: float) -> None:
        if self._limits.by_time:
            self._use.add(request.caller, took_s * request.cost)
        self._mean_s += (took_s - self._mean_s) * (_SMOOTHING if self._mean_s else 1.0)

    def _refusal(self, reason: Reason, why: str, retry_after_s: float) -> Overloaded:
        self._metrics.refused(reason)
        wait_s = max(1, min(math.ceil(retry_after_s), _LONGEST_RETRY_S))
        return Overloaded(f"{self._stage}: {why}; try again in {wait_s} s", retry_after_s=wait_s)
