"""Draws curves as one SVG file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from bench.growth.curve import Curve

_COLUMNS = 2
_WIDTH, _HEIGHT = 5.5, 3.6
"""Of a panel, in inches."""


def draw(curves: Sequence[Curve], file: Path) -> None:
    """Needs matplotlib."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "growth"  # the same curves make the same file
    rows = math.ceil(len(curves) / _COLUMNS)
    figure = Figure(figsize=(_WIDTH * _COLUMNS, _HEIGHT * rows), layout="constrained")
    FigureCanvasSVG(figure)
    for number, curve in enumerate(curves, 1):
        axes = figure.add_subplot(rows, _COLUMNS, number)
        for name, values in curve.series.items():
            axes.plot(curve.sizes, values, marker="o", label=name)
        axes.set(title=curve.title, xlabel=curve.x, xscale="log", yscale="log")
        axes.set_xticks(curve.sizes, [f"{size:,g}" for size in curve.sizes])
        axes.minorticks_off()
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
