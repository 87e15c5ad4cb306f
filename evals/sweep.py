"""`python -m evals.sweep SET --report SET ...`: choose how passages are found, and tell what that brings elsewhere.

Through the running service, by the `retrieval` object of its requests. SET's queries are split in two by a seeded hash:
each stage takes the options with the best mean on one half; the other half, and the sets of --report, are only asked at
the end. What was measured is kept in --work, so that a sweep that was stopped, or ran out of --minutes, goes on there;
for a service that has changed meanwhile, name another folder.
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

from evals import outcome
from evals.harness import ranking
from evals.harness.client import Config
from evals.harness.eval_set import BadInput, EvalSet
from evals.harness.indexed_set import IndexedSet
from evals.harness.run import Runner
from evals.harness.set_reader import read_set
from evals.harness.statistics import mean
from evals.split import halves
from evals.stages import STAGES, START, Options, Stage
from rag.types import JsonObject
from rag.upload import ServiceError

METRIC = ranking.NDCG_10
TOP_K = 10
WORTH_IT = 0.001
"""A gain below this does not justify what is dearer, or less plain: the first of a stage's options stays."""


class OutOfTime(Exception):
    """There is no time left for another measurement."""


def options() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(prog="python -m evals.sweep", description=__doc__)
    cli.add_argument("set", type=Path, metavar="SET", help="half of its queries are tuned on")
    cli.add_argument("--report", nargs="*", type=Path, default=[], metavar="SET", help="sets that are only reported on")
    cli.add_argument("--stages", nargs="+", choices=[stage.name for stage in STAGES], help="some of them; all")
    cli.add_argument("--start", type=json.loads, default={}, metavar="JSON", help="options to start from, unlike START")
    cli.add_argument("--queries", type=int, help="at most so many of each half and set")
    cli.add_argument("--slow-queries", type=int, default=120, help="the same for stages that rerank (120)")
    cli.add_argument("--minutes", type=float, default=60.0, help="after which nothing more is begun (60)")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--concurrency", type=int, default=8)
    cli.add_argument("--url", default="http://localhost:3000")
    cli.add_argument("--work", type=Path, default=Path("evals/out/sweep"), help="where measurements are kept")
    cli.add_argument("--to", type=Path, default=Path("evals/results/sweep"), help="the result: TO.json and TO.md")
    return cli


@dataclass(slots=True)
class Sweep:
    """Measures options once, and remembers what they brought."""

    runner: Runner
    work: Path
    deadline: float
    """Of `time.monotonic()`."""
    shelves: dict[str, IndexedSet] = field(default_factory=dict)

    def values(self, chosen: EvalSet, request: Mapping[str, Any], metric: str = METRIC) -> dict[str, float]:
        """The metric of each query. Raises OutOfTime."""
        path = self.work / f"{chosen.name}-{_key(chosen, request)}.json"
        if path.is_file():
            kept: dict[str, float] = json.loads(path.read_text())["per_query"][metric]
            return kept
        if time.monotonic() > self.deadline:
            raise OutOfTime
        if chosen.corpus_hash not in self.shelves:
            self.shelves[chosen.corpus_hash] = self.runner.shelve(chosen)
        found = self.runner.retrieval(chosen, self.shelves[chosen.corpus_hash], Config("sweep", request))
        told = {"set": chosen.name, "request": dict(request), "latency_ms": found.latency and found.latency.p50}
        self.work.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text(json.dumps({**told, "per_query": found.per_query}))
        path.with_suffix(".part").rename(path)
        return dict(found.per_query[metric])

    def stage(self, stage: Stage, tune: EvalSet, best: Options) -> tuple[Options, list[JsonObject]]:
        """The best options of the stage, and what each of them brought."""
        rows: list[JsonObject] = []
        for tried in stage.tries(best):
            values = self.values(tune, {"top_k": TOP_K, "retrieval": tried})
            rows.append({"options": dict(tried), METRIC: sum(values.values()) / len(values), "queries": len(values)})
            print(f"{stage.name}: {METRIC} {rows[-1][METRIC]:.4f} {json.dumps(_difference(best, tried))}", flush=True)
        highest = max(row[METRIC] for row in rows)
        chosen = next(row for row in rows if row[METRIC] > highest - WORTH_IT)
        return chosen["options"], rows


def _key(chosen: EvalSet, request: Mapping[str, Any]) -> str:
    told = json.dumps([chosen.set_hash, request], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _difference(before: Options, after: Options) -> Options:
    return {name: value for name, value in after.items() if before.get(name) != value}


def main(arguments: Sequence[str] | None = None, transport: httpx.BaseTransport | None = None) -> int:
    """Exit code 3: out of time. `transport`: in place of the network."""
    chosen = options().parse_args(arguments)
    try:
        with httpx.Client(base_url=chosen.url, timeout=300, transport=transport) as client:
            runner = Runner(client, concurrency=chosen.concurrency, seed=chosen.seed, answers=False)
            result = run(Sweep(runner, chosen.work, time.monotonic() + chosen.minutes * 60), chosen)
    except (BadInput, ServiceError, httpx.TransportError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    outcome.write(result, chosen.to)
    print(f"written to {chosen.to}.json and {chosen.to}.md")
    if not result["finished"]:
        print("out of time: run it again to go on", file=sys.stderr)
    return 0 if result["finished"] else 3


def run(sweep: Sweep, chosen: argparse.Namespace) -> JsonObject:
    tune, held = (half.sample(chosen.queries, chosen.seed) for half in halves(read_set(chosen.set), chosen.seed))
    reported = [held, *(read_set(path).sample(chosen.queries, chosen.seed) for path in chosen.report)]
    result: JsonObject = {"finished": False, "seed": chosen.seed, "metric": METRIC, "set": tune.name, "stages": []}
    best: Options = {**START, **chosen.start}
    try:
        for stage in (stage for stage in STAGES if chosen.stages is None or stage.name in chosen.stages):
            asked = tune.sample(chosen.slow_queries, chosen.seed) if stage.is_slow else tune
            best, rows = sweep.stage(stage, asked, best)
            result["stages"].append({"name": stage.name, "best": dict(best), "tried": rows})
        result["report"] = [row for one in reported for row in _report(sweep, one, best)]
        result["finished"] = True
    except OutOfTime:
        pass
    return {**result, "best": dict(best)}


def _report(sweep: Sweep, chosen: EvalSet, best: Options) -> list[JsonObject]:
    """What the choice brings on queries that it was not made on, beside what it is chosen over."""
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
