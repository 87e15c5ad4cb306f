"""Overhead of the bundle: time to first token of `/ask` with a stub language model that answers at once."""

from __future__ import annotations

from dataclasses import replace

from bench.load import Load, measure
from bench.report import CellResult, ReportRow, summary
from bench.servers import bundle
from bench.workload import INSTANT_BUNDLE, Workload

CELL = "own-work"
TARGETS_MS = {1: 25.0, 8: 80.0, 16: 120.0}
PEERS_MS = {1: "46-75", 8: "340-473", 16: "647-865"}


def run(workload: Workload) -> CellResult:
    workload.fill()
    rows: list[ReportRow] = []
    details: dict[str, object] = {}
    with bundle(workload.data_dir, workload.log(CELL), INSTANT_BUNDLE) as server:
        for users in TARGETS_MS:
            calls = workload.asks(server, workload.take(max(3 * users, 24) * (1 if workload.quick else 3)))
            measure(calls[:users], users)  # warm-up
            before = server.cpu_s()
            load = _with_answers(measure(calls, users))
            after = server.cpu_s()
            rows.append(_row(load))
            details[str(users)] = {
                **_details(load),
                "cpu_ms_per_request": {
                    name: (used - before.get(name, 0.0)) * 1000 / len(calls) for name, used in after.items()
                },
            }
    return CellResult(rows, details)


def _with_answers(load: Load) -> Load:
    """Drop questions for which nothing relevant was found: they never reach the language model."""
    return replace(load, answers=[answer for answer in load.answers if answer.tokens])


def _row(load: Load) -> ReportRow:
    seen = summary(load.first_token_ms)
    what = f"to first token, {load.users} users" if load.users > 1 else "to first token, 1 user"
    note = f"p50 {seen['p50']:.0f}, p95 {seen['p95']:.0f}; peers took {PEERS_MS[load.users]}"
    return ReportRow(CELL, what, "ms, mean", seen["mean"], at_most=TARGETS_MS[load.users], note=note)


def _details(load: Load) -> dict[str, object]:
    """`inside_ms` are the service's own timings per step."""
    steps = {name for answer in load.good for name in answer.timings_ms}
    inside = {name: summary([a.timings_ms[name] for a in load.good if name in a.timings_ms]) for name in sorted(steps)}
    return {"first_token_ms": summary(load.first_token_ms), "inside_ms": inside, "wall_s": load.wall_s}
