"""A measured curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity, measured at growing sizes."""

    title: str
    x: str
    """What grows, with its unit."""
    sizes: Sequence[float]
    series: Mapping[str, Sequence[float]]
    """Values by name, with the unit in the name, in the order of `sizes`."""

    def table(self) -> str:
        """As Markdown."""
        names = list(self.series)
        rows = [
            [f"{size:,g}", *(f"{self.series[name][i]:,.4g}" for name in names)] for i, size in enumerate(self.sizes)
        ]
        lines = [[self.x, *names], ["---"] * (len(names) + 1), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
