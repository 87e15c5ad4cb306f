"""CPU time of a streamed token while the services send their spans by OTLP to a receiver here, and while they do not.

Two services with a stub language model that writes at a steady pace run side by side and are measured in turn, so that
other work on the machine affects both. CPU time, because it does not depend on what else runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.load import Call, measure
from bench.report import CellResult, ReportRow, compare, percentile, spread
from bench.servers import Server, bundle
from bench.workload import INSTANT_BUNDLE, Workload
from tests.support.servers.span_collector import SpanCollector

CELL = "tracing"
USERS = 8
TOKENS_PER_S = 250
AT_MOST = 1.05
_BODY = {"prompt": "How do pumps start?", "max_tokens": 4096}


@dataclass(slots=True)
class _Measured:
    """A service, and the CPU microseconds of a token in each round."""

    server: Server
    us_per_token: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Texts of all users at the same time, each token an event of its own."""
        before = sum(self.server.cpu_s().values())
        load = measure([Call(self.server.url + "/generate", _BODY)] * USERS, USERS)
        used_s = sum(self.server.cpu_s().values()) - before
        self.us_per_token.append(used_s / sum(answer.tokens for answer in load.good) * 1e6)


def run(workload: Workload) -> CellResult:
    rounds = 3 if workload.quick else 9
    with _collector() as collector:
        with (
            _service(workload, "untraced", {}) as plain,
            _service(workload, "traced", {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as traced,
        ):
            sides = [_Measured(plain), _Measured(traced)]
            for _ in range(rounds + 1):
                for side in sides:
                    side.measure()
        spans = sum(len(s.spans) for r in collector.requests for g in r.resource_spans for s in g.scope_spans)
    if not spans:
        raise RuntimeError("no span arrived: what was measured is not the cost of tracing")
    off, on = (side.us_per_token[1:] for side in sides)  # without the first round, which warms up
    details = {"untraced_us": off, "traced_us": on, "spans": spans}
    return CellResult([_row(off, on)], details)


def _row(off: Sequence[float], on: Sequence[float]) -> ReportRow:
    what = "CPU time of a streamed token, traced / not traced"
    note = f"{len(off)} rounds in turn; spread {spread(on):.0%} / {spread(off):.0%}"
    return compare(CELL, what, "µs, median", percentile(on, 50), percentile(off, 50), at_most=AT_MOST, note=note)


@contextlib.contextmanager
def _collector() -> Iterator[SpanCollector]:
    collector = SpanCollector()
    try:
        yield collector
    finally:
        collector.close()


@contextlib.contextmanager
def _service(workload: Workload, name: str, environment: dict[str, str]) -> Iterator[Server]:
    """The bundle on an empty data folder: both run at once, and no documents are needed."""
    data_dir = workload.work / name
    data_dir.mkdir(exist_ok=True)
    if not (data_dir / "models").exists():
        (data_dir / "models").symlink_to(workload.data_dir / "models")
    pace = {"BENCH_TOKENS_PER_S": str(TOKENS_PER_S)}
    with bundle(data_dir, workload.log(name), INSTANT_BUNDLE, **pace, **environment) as server:
        yield server
