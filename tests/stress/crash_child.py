"""The process that `tests.stress.crash` kills: the real document side. Requests and answers are lines of JSON.

It writes each step to a journal when the step starts, so that repeated work can be detected after a kill.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.in_process_retriever import STORE, InProcessRetriever, PortWrappers, in_process_retriever, slow_embedders
from rag.catalog.documents.documents import ingested_file_id
from rag.errors import RagError
from rag.ports import Flow, JobEngine, Parser, Steps
from rag.records import Cursor
from rag.types import Extract

_ALL = Cursor(1000, "asc")
_SETTLE_TIMEOUT_S = 90.0
_EMBEDS_A_SLICE_IN_S = 0.02
T = TypeVar("T")


class Journal:
    """A file of lines. A line is written when `note` returns, even if the process is killed then."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, *fields: Any) -> None:
        os.write(self._file, (json.dumps(fields) + "\n").encode())


class NotedParser:
    """Writes every parse to the journal."""

    def __init__(self, parser: Parser, journal: Journal, life: int) -> None:
        self._parser, self._journal, self._life = parser, journal, life

    def parse(self, path: Path, filename: str, charset: str = "") -> Extract:
        self._journal.note(self._life, path.name, filename)
        return self._parser.parse(path, filename, charset)

    def close(self) -> None:
        self._parser.close()


class NotedSteps:
    """Writes every step that is executed to the journal."""

    def __init__(self, steps: Steps, journal: Journal, life: int, job_id: str) -> None:
        self._steps, self._journal, self._life, self._job_id = steps, journal, life, job_id
        self._number = 0

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        self._number += 1
        number = self._number

        def noted(*arguments: Any) -> T:
            self._journal.note(self._life, self._job_id, number, name)
            return work(*arguments)

        return self._steps.run(name, noted, *arguments)


class NotedEngine:
    """Runs flows with `NotedSteps`."""

    def __init__(self, engine: JobEngine, journal: Journal, life: int) -> None:
        self._engine, self._journal, self._life = engine, journal, life

    def start(self, flows: Mapping[str, Flow]) -> None:
        def noted(flow: Flow, job_id: str, steps: Steps) -> None:
            flow(job_id, NotedSteps(steps, self._journal, self._life, job_id))

        self._engine.start({name: partial(noted, flow) for name, flow in flows.items()})

    def submit(self, flow: str, job_id: str, store: str = "") -> None:
        self._engine.submit(flow, job_id, store)

    def forget(self, job_ids: Sequence[str]) -> None:
        self._engine.forget(job_ids)

    def stop(self) -> None:
        self._engine.stop()


class Orders:
    """The requests of the parent process: each is the name of a method."""

    def __init__(self, side: InProcessRetriever) -> None:
        self._side = side

    def ingest(self, files: list[list[str]], attributes: dict[str, Any], key: str) -> Any:
        uploads = [self._side.upload(name, text.encode()) for name, text in files]
        job = self._side.library.ingest(STORE, uploads, attributes, idempotency_key=key)
        rows = self._side.library.job_files(job.job_id, _ALL).rows
        return {"job": job.job_id, "files": [[row.filename, row.version] for row in rows]}

    def delete(self, name: str) -> Any:
        self._side.library.delete_document(STORE, ingested_file_id(STORE, name))

    def attributes(self, name: str, attributes: dict[str, Any]) -> Any:
        self._side.library.set_attributes(STORE, ingested_file_id(STORE, name), attributes)

    def cancel(self, job: str) -> Any:
        self._side.library.cancel_job(job)
        return [[row.version, row.status] for row in self._side.library.job_files(job, _ALL).rows]

    def settle(self) -> Any:
        """Wait for all jobs, clean up, and return what Milvus holds."""
        until = time.monotonic() + _SETTLE_TIMEOUT_S
        while not self._side.is_idle:
            if time.monotonic() > until:
                return {"unfinished": [job.job_id for job in self._side.library.jobs(_ALL, active=True).rows] or "?"}
            time.sleep(0.02)
        self._side.runtime.janitor.clean()
        store, name = self._side.store, self._side.collection
        return {"unfinished": [], "rows": store.chunk_ids(name), "count": store.count(name)}

    def find(self, text: str, mode: Any, filename: str | None) -> Any:
        filters = None if filename is None else {"type": "eq", "key": "filename", "value": filename}
        hits = self._side.search(text, mode, 10, filters).hits
        return [[hit.chunk.filename, hit.chunk.text, dict(hit.chunk.attributes)] for hit in hits]

    def text(self, name: str) -> Any:
        return self._side.library.extract(STORE, ingested_file_id(STORE, name)).text

    def run_maintenance(self) -> Any:
        self._side.runtime.janitor.run_maintenance()


def main(folder: Path, life: int) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of libraries must not be read as answers
    parses, steps = Journal(folder / "parses.log"), Journal(folder / "steps.log")
    wraps = PortWrappers(
        parser=lambda parser: NotedParser(parser, parses, life),
        engine=lambda engine: NotedEngine(engine, steps, life),
    )
    with in_process_retriever(folder, slow_embedders(_EMBEDS_A_SLICE_IN_S), wrappers=wraps) as side:
        print(json.dumps({"ok": "ready"}), file=answers)
        orders = Orders(side)
        for line in sys.stdin:
            name, arguments = json.loads(line)
            if name == "stop":
                break
            print(json.dumps(_answer(orders, name, arguments)), file=answers)


def _answer(orders: Orders, name: str, arguments: list[Any]) -> dict[str, Any]:
    try:
        return {"ok": getattr(orders, name)(*arguments)}
    except RagError as error:
        return {"refused": error.code, "message": error.message}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
