"""From the start of the process to ready, models prepared and store filled, and the memory of each process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import psutil

from bench.job import PeerJob
from bench.load import WARM_UP, measure
from bench.report import CellResult, ReportRow, versus
from bench.servers import Server, bundle, process_name, vllm_server

CELL = "start"
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of one process."""

    name: str
    rss: float
    pss: float
    """Its own pages and its share of those that it shares; the same as `rss` where the system does not tell."""


def run(job: PeerJob) -> CellResult:
    job.fill()
    with vllm_server(job.log("start-vllm")) as server:
        theirs, their_memory = server.ready_s, _memory(server)
    with bundle(job.data_dir, job.log("start-ours")) as server:
        ours, asks = server.ready_s, job.asks(server, job.take(4))
        measure(asks, users=WARM_UP)  # each process has done its work once
        our_memory = _memory(server)
    rows = [versus(CELL, "start to ready", "s", ours, theirs, at_most=1.15)]
    rows += [_total("RSS", [m.rss for m in our_memory], [m.rss for m in their_memory])]
    rows += [_total("PSS, shared pages divided", [m.pss for m in our_memory], [m.pss for m in their_memory])]
    rows += [ReportRow(CELL, f"memory, {m.name}", "MiB, RSS", m.rss, note=f"PSS {m.pss:,.0f}") for m in our_memory]
    rows += [
        ReportRow(CELL, f"memory, theirs: {m.name}", "MiB, RSS", m.rss, note=f"PSS {m.pss:,.0f}") for m in their_memory
    ]
    memory = {"ours": our_memory, "theirs": their_memory}
    return CellResult(rows, {f"{who}_mib": [asdict(m) for m in found] for who, found in memory.items()})


def _total(what: str, ours: Sequence[float], theirs: Sequence[float]) -> ReportRow:
    return versus(CELL, f"memory, all, {what}", "MiB", sum(ours), sum(theirs))


def _memory(server: Server) -> list[Memory]:
    found = [_of(process) for process in server.family()]
    return sorted((memory for memory in found if memory is not None), key=lambda memory: -memory.rss)


def _of(process: psutil.Process) -> Memory | None:
    """None for a process that has just ended."""
    try:
        full = process.memory_full_info()
        return Memory(process_name(process), full.rss / _MIB, getattr(full, "pss", full.rss) / _MIB)
    except psutil.Error:
        return None
