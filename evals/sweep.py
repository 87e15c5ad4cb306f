"""`python -m evals.sweep SET --report SET ...`: tune the retrieval options and report the result.

Options are set in the `retrieval` object of requests to a running service. A seeded hash splits SET's queries into two
halves: each stage takes the options with the best mean on one half; the other half and the sets of --report are only
measured at the end. Measurements are stored in --work, so that a sweep that was stopped or ran out of --minutes can be
resumed. If the service has changed since, use another folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from evals import sweep_report
from evals.harness import ranking
from evals.harness.client import Config
from evals.harness.eval_set import EvalSet, InputError
from evals.harness.eval_store import EvalStore
from evals.harness.run import Runner
from evals.harness.set_reader import read_set
from evals.harness.statistics import mean
from evals.sweep_split import halves
from evals.sweep_stages import STAGES, START, Options, Stage
from rag.types import JsonObject
from rag.upload import ServiceError

METRIC = ranking.NDCG_10
TOP_K = 10
MIN_GAIN = 0.001
"""A smaller gain does not justify more expensive or complex options: the stage's first option is taken instead."""


class TimeBudgetExceeded(Exception):
    """The time budget of --minutes is used up."""


def options() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(prog="python -m evals.sweep", description=__doc__)
    cli.add_argument(
        "set", type=Path, metavar="SET", help="set whose queries are split into a tuning half and a held-out half"
    )
    cli.add_argument(
        "--report", nargs="*", type=Path, default=[], metavar="SET", help="further sets, for the report only"
    )
    cli.add_argument(
        "--stages", nargs="+", choices=[stage.name for stage in STAGES], help="stages to run; default: all"
    )
    cli.add_argument("--start", type=json.loads, default={}, metavar="JSON", help="changes to the start options")
    cli.add_argument("--queries", type=int, help="maximum number of queries of each half and set")
    cli.add_argument("--slow-queries", type=int, default=120, help="the same for stages that rerank (120)")
    cli.add_argument("--minutes", type=float, default=60.0, help="time budget (60)")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--concurrency", type=int, default=8)
    cli.add_argument("--url", default="http://localhost:3000")
    cli.add_argument("--work", type=Path, default=Path("evals/out/sweep"), help="folder for measurements")
    cli.add_argument("--to", type=Path, default=Path("evals/results/sweep"), help="result files: TO.json and TO.md")
    return cli


@dataclass(slots=True)
class Sweep:
    """Measures options, each at most once, and stores the results."""

    runner: Runner
    work: Path
    deadline: float
    """In terms of `time.monotonic()`."""
    stores: dict[str, EvalStore] = field(default_factory=dict)

    def values(self, chosen: EvalSet, request: Mapping[str, Any], metric: str = METRIC) -> dict[str, float]:
        """The metric's value for each query. Raises TimeBudgetExceeded."""
        path = self.work / f"{chosen.name}-{_key(chosen, request)}.json"
        if path.is_file():
            values: dict[str, float] = json.loads(path.read_text())["per_query"][metric]
            return values
        if time.monotonic() > self.deadline:
            raise TimeBudgetExceeded
        if chosen.corpus_hash not in self.stores:
            self.stores[chosen.corpus_hash] = self.runner.index(chosen)
        found = self.runner.retrieval(chosen, self.stores[chosen.corpus_hash], Config("sweep", request))
        record = {"set": chosen.name, "request": dict(request), "latency_ms": found.latency and found.latency.p50}
        self.work.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text(json.dumps({**record, "per_query": found.per_query}))
        path.with_suffix(".part").rename(path)
        return dict(found.per_query[metric])

    def stage(self, stage: Stage, tune: EvalSet, best: Options) -> tuple[Options, list[JsonObject]]:
        """The best options of the stage, and a row for each one tried."""
        rows: list[JsonObject] = []
        for tried in stage.tries(best):
            values = self.values(tune, {"top_k": TOP_K, "retrieval": tried})
            rows.append({"options": dict(tried), METRIC: sum(values.values()) / len(values), "queries": len(values)})
            print(f"{stage.name}: {METRIC} {rows[-1][METRIC]:.4f} {json.dumps(_difference(best, tried))}", flush=True)
        highest = max(row[METRIC] for row in rows)
        chosen = next(row for row in rows if row[METRIC] > highest - MIN_GAIN)
        return chosen["options"], rows


def _key(chosen: EvalSet, request: Mapping[str, Any]) -> str:
    identity = json.dumps([chosen.set_hash, request], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _difference(before: Options, after: Options) -> Options:
    return {name: value for name, value in after.items() if before.get(name) != value}


def main(arguments: Sequence[str] | None = None, transport: httpx.BaseTransport | None = None) -> int:
    """Exit code 3: the time budget was used up. `transport` replaces the network in tests."""
    chosen = options().parse_args(arguments)
    try:
        with httpx.Client(base_url=chosen.url, timeout=300, transport=transport) as client:
            runner = Runner(client, concurrency=chosen.concurrency, seed=chosen.seed, answers=False)
            result = run(Sweep(runner, chosen.work, time.monotonic() + chosen.minutes * 60), chosen)
    except (InputError, ServiceError, httpx.TransportError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    sweep_report.write(result, chosen.to)
    print(f"written to {chosen.to}.json and {chosen.to}.md")
    if not result["finished"]:
        print("the time budget is used up: run the command again to continue", file=sys.stderr)
    return 0 if result["finished"] else 3


def run(sweep: Sweep, chosen: argparse.Namespace) -> JsonObject:
    tune, held = (half.sample(chosen.queries, chosen.seed) for half in halves(read_set(chosen.set), chosen.seed))
    reported = [held, *(read_set(path).sample(chosen.queries, chosen.seed) for path in chosen.report)]
    result: JsonObject = {"finished": False, "seed": chosen.seed, "metric": METRIC, "set": tune.name, "stages": []}
    best: Options = {**START, **chosen.start}
    try:
        for stage in (stage for stage in STAGES if chosen.stages is None or stage.name in chosen.stages):
            sample = tune.sample(chosen.slow_queries, chosen.seed) if stage.is_slow else tune
            best, rows = sweep.stage(stage, sample, best)
            result["stages"].append({"name": stage.name, "best": dict(best), "tried": rows})
        result["report"] = [row for one in reported for row in _report(sweep, one, best)]
        result["finished"] = True
    except TimeBudgetExceeded:
        pass
    return {**result, "best": dict(best)}


def _report(sweep: Sweep, chosen: EvalSet, best: Options) -> list[JsonObject]:
    """The chosen options against the alternatives, on held-out queries."""
    configs: dict[str, JsonObject] = {
        "dense": {"mode": "dense", "retrieval": {"duplicates": 1.0, "rerank": False}},
        "start": {"retrieval": dict(START)},
        "chosen, no rerank": {"retrieval": {**best, "rerank": False}},
        "chosen": {"retrieval": dict(best)},
    }
    rows: list[JsonObject] = []
    for name, request in configs.items():
        figures = {}
        for metric in (METRIC, ranking.RECALL_10, ranking.MRR_10, ranking.HIT_5):
            found = mean(list(sweep.values(chosen, {"top_k": TOP_K, **request}, metric).values()), sweep.runner.seed)
            figures[metric] = {"mean": found.value, "low": found.low, "high": found.high}
        rows.append({"set": chosen.name, "queries": len(chosen.queries), "configuration": name, **figures})
        print(f"{chosen.name}, {name}: {METRIC} {figures[METRIC]['mean']:.4f}", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
