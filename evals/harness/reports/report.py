"""The report as JSON, which comparisons read, and as Markdown tables."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.harness import answers, ranking
from evals.harness.abstention import Curve
from evals.harness.reports.environment import PACKAGES, machine, versions
from evals.harness.run import ConfigResult, Measurement, SetResult
from evals.harness.statistics import Latency, Mean
from rag.types import JsonObject

FORMAT = 1
_PACKAGES = (*PACKAGES, "pytrec_eval-terrier", "scipy")
RETRIEVAL_HEADINGS = ("set", "configuration", "queries", *ranking.METRICS, "p50 ms", "p95 ms")
ANSWER_HEADINGS = ("set", "configuration", "questions", *answers.METRICS, "p50 ms", "p95 ms", "first token p50")
ABSTENTION_HEADINGS = ("set", "configuration", "AUROC", "best threshold", "abstained there", "answered there")
Cells = Sequence[str]


def as_json(done: Sequence[SetResult], settings: Mapping[str, Any]) -> JsonObject:
    """The whole report: settings, versions, means, and the value of each query."""
    return {
        "format": FORMAT,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(_PACKAGES),
        "settings": dict(settings),
        "sets": {one.chosen.name: _set(one) for one in done},
    }


def _set(one: SetResult) -> JsonObject:
    chosen = one.chosen
    return {
        "hash": chosen.set_hash,
        "corpus_hash": chosen.corpus_hash,
        "licence": chosen.licence,
        "chunking_strategy": chosen.chunking,
        "documents": len(chosen.documents),
        "queries": len(chosen.queries),
        "questions": len(chosen.questions),
        "vector_store": asdict(one.store),
        "texts": {query.query_id: query.text for query in chosen.queries},
        "relevant": {query.query_id: dict(chosen.relevant[query.query_id]) for query in chosen.queries},
        "configurations": {name: _result(result) for name, result in one.results.items()},
    }


def _result(result: ConfigResult) -> JsonObject:
    curve = result.abstention
    return {
        "request": dict(result.request),
        "retrieval": _measured(result.retrieval),
        "answers": _measured(result.answers),
        "abstention": curve and {**asdict(curve), "best_cosines": _rounded(result.best_cosines)},
        "confidence": result.confidence and asdict(result.confidence),
    }


def _measured(measured: Measurement | None) -> JsonObject | None:
    if measured is None:
        return None
    return {
        "metrics": {name: _rounded(asdict(mean)) for name, mean in measured.means.items()},
        "latency_ms": measured.latency and asdict(measured.latency),
        "not_timed": measured.not_timed,
        **measured.details,
        "per_query": {name: _rounded(values) for name, values in measured.per_query.items()},
        "milliseconds": list(measured.milliseconds),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}


# --- tables ----------------------------------------------------------------------------------


def retrieval_rows(done: Iterable[SetResult]) -> Iterator[Cells]:
    for one, name, result in _results(done):
        if (found := result.retrieval) is not None:
            means = (_mean(found.means.get(metric)) for metric in ranking.METRICS)
            yield one.chosen.name, name, str(len(one.chosen.queries)), *means, *_latency(found.latency)


def answer_rows(done: Iterable[SetResult]) -> Iterator[Cells]:
    for one, name, result in _results(done):
        if (found := result.answers) is not None:
            means = (_mean(found.means.get(metric)) for metric in answers.METRICS)
            first = found.details.get("first_token_ms")
            last = f"{first['p50']:.0f}" if first else ""
            yield one.chosen.name, name, str(len(one.chosen.questions)), *means, *_latency(found.latency), last


def abstention_rows(done: Iterable[SetResult], curve_of: Callable[[ConfigResult], Curve | None]) -> Iterator[Cells]:
    for one, name, result in _results(done):
        if (found := curve_of(result)) is not None:
            best = found.best
            figures = (found.auroc, best.threshold, best.abstained, best.answered)
            yield one.chosen.name, name, *(f"{figure:.2f}" for figure in figures)


def _results(done: Iterable[SetResult]) -> Iterator[tuple[SetResult, str, ConfigResult]]:
    for one in done:
        for name, result in one.results.items():
            yield one, name, result


def _mean(mean: Mean | None) -> str:
    return "" if mean is None else f"{mean.value:.3f} ({mean.low:.3f}-{mean.high:.3f})"


def _latency(latency: Latency | None) -> tuple[str, str]:
    return ("", "") if latency is None else (f"{latency.p50:.0f}", f"{latency.p95:.0f}")


def tables(done: Sequence[SetResult]) -> Iterator[tuple[str, Cells, list[Cells]]]:
    """Title, headings and rows of each table that is not empty."""
    every = (
        ("Retrieval", RETRIEVAL_HEADINGS, list(retrieval_rows(done))),
        ("Answers", ANSWER_HEADINGS, list(answer_rows(done))),
        (
            "Abstention by the best cosine (min_cosine)",
            ABSTENTION_HEADINGS,
            list(abstention_rows(done, lambda result: result.abstention)),
        ),
        (
            "Abstention by the confidence of quoted answers (min_confidence)",
            ABSTENTION_HEADINGS,
            list(abstention_rows(done, lambda result: result.confidence)),
        ),
    )
    return (table for table in every if table[2])


def as_markdown(done: Sequence[SetResult], report: JsonObject, plots: Iterable[str]) -> str:
    parts = ["# Evaluation", f"{report['made']}. 95 % confidence intervals in brackets."]
    for title, headings, rows in tables(done):
        parts += [f"## {title}", markdown_table(headings, rows)]
    parts += [f"![{Path(plot).stem}]({plot})" for plot in plots]
    for one in done:
        store, about = one.store, f"{len(one.chosen.documents):,} documents"
        parts.append(f"- {one.chosen.name}: {about}, encoded by {store.embedder}; set {one.chosen.set_hash[:12]}")
    configs = {name: result.request for one in done for name, result in one.results.items()}
    parts += [f"- `{name}`: `{json.dumps(request)}`" for name, request in configs.items()]
    return "\n\n".join(parts) + "\n"


def markdown_table(headings: Cells, rows: Iterable[Cells]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
