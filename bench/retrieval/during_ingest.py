"""`POST /retrieve` by one user at a steady rate: on an idle service, and during a large ingest.

The language model is a stub that answers at once and uses no CPU. The ingest uploads the same texts under new names, so
that they are embedded again, into the store that is searched. The cell works on a copy of that store.
"""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from bench.report import CellResult, ReportRow, compare, percentile, spread, summary
from bench.servers import Server, bundle
from bench.workload import INSTANT_BUNDLE, Workload
from rag.records import ENDED
from rag.types import JsonObject
from rag.upload import LocalFile, UploadTarget, upload_files

CELL = "during"
WARM_UP = 5
EVERY_S = 0.25
"""Interval between questions."""
AT_MOST = 1.5
_LEAD_S = 3.0
"""Delay between the first accepted upload and the first question, so that embedding has started."""
_POLL_S = 0.2


class QuestionLatencies:
    """Latencies of the questions of one phase."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.inside: dict[str, list[float]] = {}
        """By step, as the service reports in `timings_ms`."""

    def details(self) -> dict[str, object]:
        steps = {name: summary(values) for name, values in sorted(self.inside.items())}
        worst = [round(value, 1) for value in sorted(self.milliseconds)[-5:]]
        return {"seen_ms": summary(self.milliseconds), "inside_ms": steps, "worst_ms": worst}


def run(workload: Workload) -> CellResult:
    workload.fill()
    questions = workload.take(60 if workload.quick else 150)
    data_dir = _copied(workload)
    with bundle(data_dir, workload.log(CELL), INSTANT_BUNDLE) as server:
        _ask(server, questions[:WARM_UP])
        before = _ask(server, questions)
        with _ingesting(server, workload.uploads):
            cpu_before, started = server.cpu_s(), time.perf_counter()
            during = _ask(server, questions)
            cpu_after, seconds = server.cpu_s(), time.perf_counter() - started
        after = _ask(server, questions)
    shutil.rmtree(data_dir)
    idle = before.milliseconds + after.milliseconds
    noise = spread([percentile(part.milliseconds, 50) for part in (before, after)])
    cores = {name: (used - cpu_before.get(name, 0.0)) / seconds for name, used in cpu_after.items()}
    note = f"{len(questions)} questions; the encoder used {cores['Embedder']:.2f} cores; idle noise {noise:.0%}"
    rows = [_row(50, during, idle, note), _row(95, during, idle, "", at_most=AT_MOST)]
    parts = {"before": before, "during": during, "after": after}
    details = {name: part.details() for name, part in parts.items()}
    return CellResult(rows, {**details, "cores": cores})


def _row(
    q: int, during: QuestionLatencies, idle: Sequence[float], note: str, *, at_most: float | None = None
) -> ReportRow:
    ours, theirs = percentile(during.milliseconds, q), percentile(idle, q)
    return compare(CELL, f"one question, p{q}, during ingest / idle", "ms", ours, theirs, at_most=at_most, note=note)


def _copied(workload: Workload) -> Path:
    """A copy of the data folder, so that the extra documents do not affect other cells."""
    copy = workload.work / "during"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(workload.data_dir, copy, symlinks=True)
    return copy


def _ask(server: Server, questions: Sequence[str]) -> QuestionLatencies:
    """One question every `EVERY_S`; after a slower answer the next question follows at once."""
    answers = QuestionLatencies()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for question in questions:
            started = time.perf_counter()
            response = client.post("/retrieve", json={"query": question}).raise_for_status()
            took_s = time.perf_counter() - started
            answers.milliseconds.append(took_s * 1000)
            for name, value in response.json()["timings_ms"].items():
                answers.inside.setdefault(name, []).append(value)
            time.sleep(max(0.0, EVERY_S - took_s))
    return answers


class _UploadThread(threading.Thread):
    """Uploads the documents again and again, each time under new names."""

    def __init__(self, server: Server, uploads: Sequence[LocalFile]) -> None:
        super().__init__(name="upload", daemon=True)
        self._client = httpx.Client(base_url=server.url, timeout=600)
        self._uploads = uploads
        self._jobs: list[str] = []
        self._stopping = threading.Event()
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            number = 0
            while not self._stopping.is_set():
                number += 1
                self._upload([dataclasses.replace(u, name=f"during-{number}/{u.name}") for u in self._uploads])
        except Exception as error:
            self._failure = error

    def wait_until_busy(self) -> None:
        while not self._jobs:
            self._raise_failure()
            time.sleep(_POLL_S)
        time.sleep(_LEAD_S)

    def stop(self) -> None:
        """Stops uploading and cancels the remaining jobs."""
        self._stopping.set()
        self.join()
        for job_id in self._jobs:
            with suppress(httpx.HTTPStatusError):  # it has already ended
                self._client.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
        self._client.close()
        self._raise_failure()

    def _upload(self, uploads: Sequence[LocalFile]) -> None:
        for outcome in upload_files(UploadTarget(self._client, {"vector_store": "default"}), uploads):
            if outcome.failures:
                raise RuntimeError(f"{outcome.failures[0].name} was refused: {outcome.failures[0].message}")
            self._jobs += outcome.jobs
        while self._has_running_jobs() and not self._stopping.wait(_POLL_S):
            pass

    def _has_running_jobs(self) -> bool:
        """Checks the latest jobs first: jobs end roughly in the order in which they started."""
        return any(self._job(job_id)["status"] not in ENDED for job_id in reversed(self._jobs))

    def _job(self, job_id: str) -> JsonObject:
        answer: JsonObject = self._client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return answer

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


@contextmanager
def _ingesting(server: Server, uploads: Sequence[LocalFile]) -> Iterator[None]:
    uploader = _UploadThread(server, uploads)
    uploader.start()
    try:
        uploader.wait_until_busy()
        yield
    finally:
        uploader.stop()
    time.sleep(_LEAD_S)
