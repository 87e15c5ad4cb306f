"""Plots of the metrics, as PNG files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evals.harness import answers, ranking
from evals.harness.run import Measurement, SetResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 120


def draw(done: Sequence[SetResult], folder: Path) -> list[str]:
    """Write the plots into the folder. Returns their file names."""
    import matplotlib as mpl

    mpl.use("Agg")
    names = []
    for name, figure in _figures(done):
        figure.savefig(folder / name, dpi=_DPI, bbox_inches="tight")
        names.append(name)
    return names


def _figures(done: Sequence[SetResult]) -> Iterator[tuple[str, Figure]]:
    for kind, metrics in (("retrieval", ranking.METRICS), ("answers", answers.METRICS)):
        shown = [(one, parts) for one in done if (parts := _parts(one, kind))]
        if shown:
            yield f"{kind}.png", _bars(shown, metrics)
        if timed := [(one, parts) for one, parts in shown if any(part.milliseconds for part in parts.values())]:
            yield f"{kind}_latency.png", _latencies(timed)
    curves = [one for one in done if any(result.abstention for result in one.results.values())]
    if curves:
        yield "abstention.png", _curves(curves)


def _parts(one: SetResult, kind: str) -> dict[str, Measurement]:
    every = {name: getattr(result, kind) for name, result in one.results.items()}
    return {name: measured for name, measured in every.items() if measured is not None}


def _axes(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes, stacked. Without pyplot, which keeps all figures in memory."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2 * count), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(count, 1, row + 1) for row in range(count)]


def _bars(shown: Sequence[tuple[SetResult, dict[str, Measurement]]], metrics: Sequence[str]) -> Figure:
    figure, axes = _axes(len(shown))
    for axis, (one, parts) in zip(axes, shown, strict=True):
        names = [metric for metric in metrics if any(metric in part.means for part in parts.values())]
        width = 0.8 / len(parts)
        for number, (config, part) in enumerate(parts.items()):
            means = {place: part.means[name] for place, name in enumerate(names) if name in part.means}
            places = [place + (number - (len(parts) - 1) / 2) * width for place in means]
            values = [mean.value for mean in means.values()]
            below = [max(mean.value - mean.low, 0) for mean in means.values()]
            above = [max(mean.high - mean.value, 0) for mean in means.values()]
            axis.bar(places, values, width, yerr=(below, above), capsize=3, label=config)
        axis.set_xticks(range(len(names)), names)
        axis.set(title=f"{one.chosen.name} (95 % intervals)", ylim=(0, 1.05))
        axis.grid(axis="y", alpha=0.3)
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _latencies(shown: Sequence[tuple[SetResult, dict[str, Measurement]]]) -> Figure:
    """Cumulative distribution of the latencies."""
    figure, axes = _axes(len(shown))
    for axis, (one, parts) in zip(axes, shown, strict=True):
        for config, part in parts.items():
            if part.milliseconds:
                axis.ecdf(part.milliseconds, label=config)
        axis.set(title=one.chosen.name, xlabel="ms", ylabel="share of requests")
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
        axis.legend(loc="lower right")
    return figure


def _curves(shown: Sequence[SetResult]) -> Figure:
    figure, axes = _axes(len(shown))
    for axis, one in zip(axes, shown, strict=True):
        for config, result in one.results.items():
            if (found := result.abstention) is None:
                continue
            at = [point.threshold for point in found.points]
            (line,) = axis.plot(at, [point.abstained for point in found.points], label=f"{config}: correctly abstained")
            answered = [point.answered for point in found.points]
            axis.plot(at, answered, "--", color=line.get_color(), label=f"{config}: correctly answered")
            axis.axvline(found.best.threshold, color=line.get_color(), alpha=0.3)
        axis.set(title=one.chosen.name, xlabel="min_cosine", ylabel="share of questions", ylim=(0, 1.05))
        axis.grid(alpha=0.3)
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
