from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rag.ports import Flow

T = TypeVar("T")


class FakeJobEngine:
    """A JobEngine in memory: jobs are lost when it stops."""

    def __init__(self) -> None:
        self._flows: Mapping[str, Flow] = {}
        self._pool = ThreadPoolExecutor(8)
        self.submitted: list[str] = []

    def start(self, flows: Mapping[str, Flow]) -> None:
        self._flows = flows

    def submit(self, flow: str, job_id: str, store: str = "") -> None:
        if job_id not in self.submitted:
            self.submitted.append(job_id)
            self._pool.submit(self._flows[flow], job_id, self)

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        return work(*arguments)

    def forget(self, job_ids: Sequence[str]) -> None:
        self.submitted = [job_id for job_id in self.submitted if job_id not in job_ids]

    def stop(self) -> None:
        self._pool.shutdown(wait=True)
