"""`/ask` against vLLM's own OpenAI server with identical prompts, at several numbers of users.

Both run with the same engine arguments and without a prefix cache, so that neither benefits from earlier requests; both
decode greedily, so that they write the same text. The measurements alternate: baseline, ours, baseline.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from bench.load import WARM_UP, Call, Load, measure
from bench.report import CellResult, ReportRow, compare, spread, summary
from bench.servers import Server, bundle, vllm_server
from bench.workload import INSTANT_BUNDLE, MAX_TOKENS, Workload

CELL = "stream"
LEVELS = (1, 8, 16, 32)
QUICK_LEVELS = (1, 8)
NO_PREFIX_CACHE = {"enable_prefix_caching": False}
SAME_WORK = {"RAG_LLM__ENGINE__ENABLE_PREFIX_CACHING": "false", "RAG_LLM__STOP_REPETITION": "false"}


def run(workload: Workload) -> CellResult:
    workload.fill()
    levels = QUICK_LEVELS if workload.quick else LEVELS
    counts = {users: max(users * 2, 6) for users in levels}
    asked, prompts = _record_prompts(workload, max(counts.values()))
    rows: list[ReportRow] = []
    details: dict[str, object] = {}
    with (
        vllm_server(workload.log("stream-vllm"), **NO_PREFIX_CACHE) as theirs,
        bundle(workload.data_dir, workload.log("stream-ours"), **SAME_WORK) as ours,
    ):
        for users, count in counts.items():
            baseline = _completions(theirs, prompts[:count])
            before = _load(baseline, users)
            own = _load(workload.asks(ours, asked[:count]), users)
            after = _load(baseline, users)
            rows += _rows(users, own, [before, after])
            details[str(users)] = {"ours": _details(own), "before": _details(before), "after": _details(after)}
    return CellResult(rows, details)


def _load(calls: Sequence[Call], users: int) -> Load:
    return measure(calls, users, calls[-WARM_UP:])


def _record_prompts(workload: Workload, count: int) -> tuple[list[str], list[list[int]]]:
    """Questions that find something, and the final prompt of each as our Retriever builds it."""
    file, questions = workload.work / "prompts.jsonl", workload.questions[: count + count // 2]
    file.unlink(missing_ok=True)
    with bundle(workload.data_dir, workload.log("record"), INSTANT_BUNDLE, BENCH_PROMPTS=str(file)) as server:
        answers = measure(workload.asks(server, questions), users=1).answers
    asked = [question for question, answer in zip(questions, answers, strict=True) if answer.tokens]
    prompts: list[list[int]] = [json.loads(line) for line in file.read_text().splitlines()]
    if not asked or len(prompts) != len(asked):
        raise RuntimeError(f"{len(asked)} answers but {len(prompts)} prompts were recorded")
    rounds = -(-count // len(asked))
    return (asked * rounds)[:count], (prompts * rounds)[:count]


def _completions(server: Server, prompts: Sequence[Sequence[int]]) -> list[Call]:
    common = {"model": "m", "max_tokens": MAX_TOKENS, "temperature": 0.0, "stream": True}
    common |= {"stream_options": {"include_usage": True}}
    return [Call(server.url + "/v1/completions", {**common, "prompt": list(prompt)}) for prompt in prompts]


def _rows(users: int, own: Load, baselines: Sequence[Load]) -> list[ReportRow]:
    who = "1 user" if users == 1 else f"{users} users"
    rate = statistics.fmean(baseline.tokens_per_s for baseline in baselines)
    first = statistics.fmean(summary(baseline.first_token_ms)["mean"] for baseline in baselines)
    own_first = summary(own.first_token_ms)["mean"]
    noise = f"baseline noise {spread([baseline.tokens_per_s for baseline in baselines]):.0%}"
    extra = ReportRow(CELL, "added time to first token, 1 user", "ms", own_first - first, at_most=35)
    return [
        compare(CELL, f"throughput, {who}", "tokens/s", own.tokens_per_s, rate, at_least=1.0, note=noise),
        compare(CELL, f"first token, {who}", "ms, mean", own_first, first),
        *([extra] if users == 1 else []),
    ]


def _details(load: Load) -> dict[str, object]:
    tokens = sum(answer.tokens for answer in load.good)
    return {
        "tokens_per_s": load.tokens_per_s,
        "tokens": tokens,
        "requests": len(load.good),
        "wall_s": load.wall_s,
        "first_token_ms": summary(load.first_token_ms),
        "answer_s": summary([answer.total_s for answer in load.good]),
    }
