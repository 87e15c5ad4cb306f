from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from rag.ingest.job import JobInterrupted
from tests.fakes.job_engine import FakeJobEngine

T = TypeVar("T")


class JobMemory:
    """The recorded results of steps, as JSON, shared by job engines that simulate successive processes.

    `dies_after` is the beginning of a step's name: the process crashes after that step, before its result is recorded.
    """

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.dies_after: str | None = None

    def names(self, job_id: str) -> list[str]:
        return [name for name, _ in self.steps[job_id]]


class DurableFakeJobEngine(FakeJobEngine):
    """Resumes jobs after the last recorded step, also those of another engine with the same memory."""

    def __init__(self, memory: JobMemory) -> None:
        super().__init__()
        self._memory = memory

    def submit(self, flow: str, job_id: str, store: str = "") -> None:
        if job_id not in self.submitted:
            self.submitted.append(job_id)
            self._pool.submit(self._flows[flow], job_id, _Steps(self._memory, job_id))


class _Steps:
    def __init__(self, memory: JobMemory, job_id: str) -> None:
        self._memory = memory
        self._recorded = memory.steps[job_id]
        self._next = 0

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        if self._next == len(self._recorded):
            result = work(*arguments)
            if self._memory.dies_after is not None and name.startswith(self._memory.dies_after):
                raise JobInterrupted
            self._recorded.append((name, json.dumps(result)))
        known, kept = self._recorded[self._next]
        assert known == name, "a flow must run the same steps in the same order"
        self._next += 1
        done: T = json.loads(kept)
        return done
