"""Counts usage in time windows, such as a minute or a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Window:
    """A time window in which usage is counted. A count starts it; the first count after its end starts another."""

    name: str
    length_s: int


@dataclass(frozen=True, slots=True)
class Count:
    value: int
    ends_in_s: float
    """Until the end of the window; 0 if it has not begun."""


class Counters(Protocol):
    """Counters that may be lost at any time. No method raises or takes longer than a fraction of a second."""

    async def add(self, windows: Sequence[Window], amount: int) -> None: ...

    async def read(self, windows: Sequence[Window]) -> Sequence[Count]:
        """The count of each window, in their order."""
        ...

    async def close(self) -> None: ...
