"""Reads what a killed process left on disk."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

_UNFINISHED = ("queued", "running")


class Records:
    """Reads the tables of the catalog and of the job engine, while the service runs or after it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def catalog(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._ask("catalog.db", statement, parameters)

    def job_with_key(self, key: str) -> str | None:
        found = self.catalog("SELECT id FROM jobs WHERE idempotency_key = ?", key)
        return found[0][0] if found else None

    def versions_of(self, job_id: str) -> list[tuple[Any, ...]]:
        """Filename, number and state of each file of a job."""
        return self.catalog(
            "SELECT v.filename, v.seq, v.state FROM versions v JOIN job_files f ON f.seq = v.seq WHERE f.job_id = ?"
            " ORDER BY f.position",
            job_id,
        )

    def names(self) -> set[str]:
        return {row[0] for row in self.catalog("SELECT filename FROM documents")}

    def running_jobs(self) -> int:
        return int(self.catalog("SELECT count(*) FROM jobs WHERE state = 'running'")[0][0])

    def parsed_blobs(self) -> set[str]:
        """Originals that do not need to be parsed any more."""
        found = self.catalog("SELECT blob_id FROM versions WHERE extract_id IS NOT NULL OR state != 'pending'")
        return {row[0] for row in found if row[0]}

    def recorded_steps(self) -> set[tuple[str, int]]:
        """The steps whose results are recorded: id of the job, and number of the step."""
        found = self._ask("jobs.db", "SELECT workflow_uuid, function_id FROM operation_outputs", ())
        return {(row[0], row[1]) for row in found}

    def workflows(self) -> int:
        return int(self._ask("jobs.db", "SELECT count(*) FROM workflow_status", ())[0][0])

    def blobs_on_disk(self) -> set[str]:
        return {path.name for path in (self._folder / "blobs").glob("*/*")}

    def blobs_in_catalog(self) -> set[str]:
        return {row[0] for row in self.catalog("SELECT id FROM blobs")}

    def journal(self, name: str) -> Iterator[list[Any]]:
        path = self._folder / name
        if path.exists():
            for line in path.read_text().splitlines():
                yield json.loads(line)

    def _ask(self, name: str, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._folder / name, timeout=30)) as connection:
            return connection.execute(statement, parameters).fetchall()


class Repeats:
    """Finds work that was repeated although its result had been recorded when the process was killed."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._recorded_steps: dict[tuple[str, int], int] = {}
        self._parsed_blobs: dict[str, int] = {}

    def process_ended(self, life: int) -> None:
        """Read what is recorded after a process has ended. `life` is the process's number."""
        for step in self._records.recorded_steps():
            self._recorded_steps.setdefault(step, life)
        for blob in self._records.parsed_blobs():
            self._parsed_blobs.setdefault(blob, life)

    def found(self) -> list[str]:
        """Repeated steps and files, each with the number of the process that repeated it."""
        last = 10**9
        again = [
            f"step {number} ({name}) of {job} was repeated in process {life}"
            for life, job, number, name in self._records.journal("steps.log")
            if life > self._recorded_steps.get((job, number), last)
        ]
        parses = Counter[tuple[int, str]]()
        for life, blob, name in self._records.journal("parses.log"):
            parses[life, blob] += 1
            if life > self._parsed_blobs.get(blob, last):
                again.append(f"{name} ({blob}) was parsed again in process {life}")
        return again + [f"{blob} was parsed {n} times in process {life}" for (life, blob), n in parses.items() if n > 1]
