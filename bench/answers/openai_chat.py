"""`/v1/chat/completions` against vLLM's own server, both measured by `vllm bench serve --backend openai-chat`.

Plain chat without retrieval, with the same engine arguments and prompts, no prefix cache and a fixed output length. The
measurements alternate: baseline, ours, baseline.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import httpx

from bench.answers.stream import LEVELS, NO_PREFIX_CACHE, QUICK_LEVELS, SAME_WORK
from bench.report import CellResult, ReportRow, compare, spread
from bench.servers import Server, bundle, run_json, vllm_server
from bench.workload import Workload
from rag import config
from rag.adapters import model_files

CELL = "openai"
INPUT_TOKENS = 128
OUTPUT_TOKENS = 64


def run(workload: Workload) -> CellResult:
    levels = QUICK_LEVELS if workload.quick else LEVELS
    with (
        vllm_server(workload.log("openai-vllm"), **NO_PREFIX_CACHE) as theirs,
        bundle(workload.data_dir, workload.log("openai-ours"), **SAME_WORK) as ours,
    ):
        name = _language_model(ours)
        reports = run_json("bench.answers.vllm_load", _request(theirs, ours, name, levels))
    runs = {users: reports[3 * n : 3 * n + 3] for n, users in enumerate(levels)}
    rows = [row for users, three in runs.items() for row in _rows(users, *three)]
    return CellResult(rows, {str(users): three for users, three in runs.items()})


def _request(theirs: Server, ours: Server, name: str, levels: Sequence[int]) -> dict[str, Any]:
    order = ((theirs, "m"), (ours, name), (theirs, "m"))
    return {
        "tokenizer": model_files.llm_folder(config.load()),
        "input_len": INPUT_TOKENS,
        "output_len": OUTPUT_TOKENS,
        "turns": [
            {"base_url": server.url, "model": model, "users": users, "prompts": max(users * 2, 6)}
            for users in levels
            for server, model in order
        ],
    }


def _language_model(server: Server) -> str:
    facts = httpx.get(server.url + "/readyz", timeout=30).raise_for_status().json()
    return str(facts["services"]["LLM"]["model"])


def _rows(users: int, before: dict[str, Any], own: dict[str, Any], after: dict[str, Any]) -> list[ReportRow]:
    if failed := own.get("failed", 0) + before.get("failed", 0) + after.get("failed", 0):
        raise RuntimeError(f"{failed} requests failed at {users} users")
    who = "1 user" if users == 1 else f"{users} users"
    rates = [baseline["output_throughput"] for baseline in (before, after)]
    first = statistics.fmean(baseline["mean_ttft_ms"] for baseline in (before, after))
    noise = f"baseline noise {spread(rates):.0%}"
    return [
        compare(
            CELL,
            f"throughput, {who}",
            "tokens/s",
            own["output_throughput"],
            statistics.fmean(rates),
            at_least=0.95,
            note=noise,
        ),
        compare(CELL, f"first token, {who}", "ms, mean", own["mean_ttft_ms"], first),
    ]
