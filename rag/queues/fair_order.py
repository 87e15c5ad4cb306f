"""Waiting items of several callers, taken in turn: one item of each caller, then the next of each."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairOrder(Generic[Item]):
    """A first-in-first-out queue for each caller, with the callers in round-robin order.

    Memory is only used for callers that wait.
    """

    def __init__(self) -> None:
        self._items: OrderedDict[str, deque[Item]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def add(self, caller: str, item: Item) -> None:
        self._items.setdefault(caller, deque()).append(item)

    def remove(self, caller: str, item: Item) -> None:
        """Raises ValueError if the caller does not wait with this item."""
        if caller not in self._items:
            raise ValueError(f"{caller!r} is not waiting")
        self._items[caller].remove(item)
        self._forget_if_empty(caller)

    def firsts(self) -> list[tuple[str, Item]]:
        """Each caller's first item; the caller whose turn it is comes first."""
        return [(caller, items[0]) for caller, items in self._items.items()]

    def take(self, caller: str) -> Item:
        """Remove and return the caller's first item. The caller's next turn comes after everybody else's."""
        item = self._items[caller].popleft()
        self._items.move_to_end(caller)
        self._forget_if_empty(caller)
        return item

    def count(self, caller: str) -> int:
        return len(self._items.get(caller, ()))

    def ahead_of_next(self, caller: str) -> Iterator[Item]:
        """The items that are taken before one that the caller would add now."""
        turns = self.count(caller) + 1
        for other, items in self._items.items():
            yield from (items if other == caller else list(items)[:turns])

    def _forget_if_empty(self, caller: str) -> None:
        if not self._items[caller]:
            del self._items[caller]
