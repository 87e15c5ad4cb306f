"""Tracks how much of a stage's capacity each caller uses, and who may begin."""

from __future__ import annotations

from collections import Counter


class Shares:
    """Counts what callers use. The total never exceeds the capacity.

    Work cannot be interrupted, so a caller that used everything would make others wait until its work ends. Therefore a
    part of the capacity, the headroom, is only given to callers that use little.

    Args:
        capacity: Total cost of the work that runs at the same time.
        headroom: Fraction of the capacity that is kept free for callers that use at most a quarter of it.
    """

    def __init__(self, capacity: int, headroom: float) -> None:
        self._used: Counter[str] = Counter()
        self.resize(capacity, headroom)

    def resize(self, capacity: int, headroom: float) -> None:
        """Change capacity and headroom. Usage may exceed the new capacity until work ends."""
        self.capacity = capacity
        self.headroom = int(capacity * headroom)
        self._small = self.headroom and max(1, self.headroom // 4)

    @property
    def used(self) -> int:
        return self._used.total()

    @property
    def most(self) -> int:
        """What one caller can use."""
        return self.capacity - self.headroom

    def begin(self, caller: str, cost: int) -> None:
        self._used[caller] += cost

    def end(self, caller: str, cost: int) -> None:
        self._used[caller] -= cost
        if not self._used[caller]:
            del self._used[caller]

    def is_small(self, caller: str, cost: int) -> bool:
        """Whether the caller may use the headroom, if this work is added to what it uses."""
        return self._used[caller] + cost <= self._small

    def has_room(self, caller: str, cost: int) -> bool:
        """Whether the work may begin now."""
        if self.used + cost > self.capacity:
            return False
        return self.is_small(caller, cost) or self._used_by_large(caller) + cost <= self.most

    def has_own_room(self, caller: str, cost: int) -> bool:
        """Whether the work may begin as soon as others use less; false if the caller itself uses too much."""
        return self._used[caller] + cost <= self.most

    def fits_headroom(self, caller: str, cost: int) -> bool:
        """Whether all callers that use little still fit into the headroom when this work has begun."""
        return self.is_small(caller, cost) and self._used_by_small() + cost <= self.headroom

    def _used_by_small(self) -> int:
        return sum(used for used in self._used.values() if used <= self._small)

    def _used_by_large(self, caller: str) -> int:
        """What is used by this caller and all others that use more than a little."""
        return sum(used for each, used in self._used.items() if used > self._small or each == caller)
