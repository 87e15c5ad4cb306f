"""Time from process start to readiness, with models prepared and a filled store, and the memory of each process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import psutil

from bench.load import WARM_UP, Call, measure
from bench.report import CellResult, ReportRow, compare
from bench.servers import Server, bundle, process_name, vllm_server
from bench.workload import MAX_TOKENS, Workload

CELL = "start"
_ANSWERS = 4
_PASSAGES = 3
"""In each prompt of vLLM's server, about as many as in one of ours."""
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process, in MiB."""

    name: str
    rss: float
    pss: float
    """Proportional set size; equal to `rss` on systems that do not report it."""


def run(workload: Workload) -> CellResult:
    """Memory is measured after a few answers, so that every process has worked."""
    workload.fill()
    with vllm_server(workload.log("start-vllm")) as server:
        theirs = server.ready_s
        measure(_completions(workload, server), users=WARM_UP)
        their_memory = _memory(server)
    with bundle(workload.data_dir, workload.log("start-ours")) as server:
        ours = server.ready_s
        measure(workload.asks(server, workload.take(_ANSWERS)), users=WARM_UP)
        our_memory = _memory(server)
    rows = [compare(CELL, "start to ready", "s", ours, theirs, at_most=1.0)]
    rows += [_total("RSS", [m.rss for m in our_memory], [m.rss for m in their_memory])]
    pss = [m.pss for m in our_memory], [m.pss for m in their_memory]
    rows += [_total("PSS, shared pages divided", *pss, at_most=1.15)]
    rows += [ReportRow(CELL, f"memory, {m.name}", "MiB, RSS", m.rss, note=f"PSS {m.pss:,.0f}") for m in our_memory]
    rows += [
        ReportRow(CELL, f"memory, theirs: {m.name}", "MiB, RSS", m.rss, note=f"PSS {m.pss:,.0f}") for m in their_memory
    ]
    memory = {"ours": our_memory, "theirs": their_memory}
    return CellResult(rows, {f"{who}_mib": [asdict(m) for m in found] for who, found in memory.items()})


def _completions(workload: Workload, server: Server) -> list[Call]:
    passages = workload.passages()[: _ANSWERS * _PASSAGES]
    prompts = ["\n\n".join(passages[i::_ANSWERS]) for i in range(_ANSWERS)]
    options = {"model": "m", "max_tokens": MAX_TOKENS, "temperature": 0.0, "stream": True}
    options |= {"stream_options": {"include_usage": True}}
    return [Call(server.url + "/v1/completions", {**options, "prompt": prompt}) for prompt in prompts]


def _total(what: str, ours: Sequence[float], theirs: Sequence[float], *, at_most: float | None = None) -> ReportRow:
    return compare(CELL, f"memory, all, {what}", "MiB", sum(ours), sum(theirs), at_most=at_most)


def _memory(server: Server) -> list[Memory]:
    found = [_of(process) for process in server.family()]
    return sorted((memory for memory in found if memory is not None), key=lambda memory: -memory.rss)


def _of(process: psutil.Process) -> Memory | None:
    """None if the process has just ended."""
    try:
        full = process.memory_full_info()
        return Memory(process_name(process), full.rss / _MIB, getattr(full, "pss", full.rss) / _MIB)
    except psutil.Error:
        return None
