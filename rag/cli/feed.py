"""One pass of documents into the service: sent, then followed until all are searchable or have failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.cli.follow import POLL_S, Follower, Show, failure, job_files, tally
from rag.types import JsonObject
from rag.upload import Refusal, Target, Upload, send_all


@dataclass(slots=True)
class Feed:
    target: Target
    show: Show
    following: bool = True
    """Whether jobs are looked at, too."""
    total: int = 0
    files: dict[tuple[str, str], JsonObject] = field(default_factory=dict)
    """By job and file id: as accepted, and as they became once their job has ended."""
    refusals: list[Refusal] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    _follower: Follower = field(init=False)
    _started: float = field(default_factory=time.monotonic)
    _polled: float = 0.0

    def __post_init__(self) -> None:
        self._follower = Follower(self.target.client)

    @property
    def rows(self) -> list[JsonObject]:
        return list(self.files.values())

    @property
    def failures(self) -> list[Refusal]:
        """Whatever is not in the store: refused at once, failed later, cancelled."""
        failed = [Refusal(str(r["filename"]), failure(r)) for r in self.rows if r.get("status") == "failed"]
        return [*self.refusals, *failed]

    @property
    def cancelled(self) -> list[JsonObject]:
        return [row for row in self.rows if row.get("status") == "cancelled"]

    @property
    def going_on(self) -> list[str]:
        """Jobs that have not ended, as far as is known."""
        return self._follower.pending if self.following else self.jobs

    def send(self, uploads: Sequence[Upload]) -> None:
        """Raises what `send_all` raises; what was accepted until then is in `jobs`."""
        self.total += len(uploads)
        for outcome in send_all(self.target, uploads):
            self.refusals += outcome.refusals
            self.jobs += outcome.jobs
            for row in outcome.files:
                self.files[row["job_id"], str(row["file_id"])] = row
                if self.following and row.get("status") == "in_progress":
                    self._follower.add(row["job_id"])
            self._look()

    def finish(self) -> None:
        """Waits for all jobs, and learns what became of each file."""
        followed = list(self._follower.jobs)
        self._follower.until_ended(self._tell)
        for job_id in followed:
            ended = self._follower.jobs[job_id].get("status")
            for row in job_files(self.target.client, job_id):
                self._learn(job_id, row)
            self._settle(job_id, str(ended), self._follower.jobs[job_id].get("error"))

    def _look(self) -> None:
        """While files are still being sent: a look at the jobs now and then."""
        if time.monotonic() - self._polled >= POLL_S:
            self._follower.poll()
            self._polled = time.monotonic()
        self._tell()

    def _tell(self) -> None:
        jobs = self._follower.jobs
        outside = sum(1 for job_id, _ in self.files if job_id not in jobs) + len(self.refusals)
        self.show(tally(jobs.values(), outside, self.total, time.monotonic() - self._started))

    def _learn(self, job_id: str, row: JsonObject) -> None:
        """A job's file, in the words of `POST /ingest`."""
        file_id = str(row["id"])
        known = self.files.get((job_id, file_id), {"file_id": file_id})
        news = {name: row[name] for name in ("filename", "status", "change", "chunks") if row.get(name) is not None}
        self.files[job_id, file_id] = {**known, **news, "error": row.get("last_error"), "job_id": job_id}

    def _settle(self, job_id: str, status: str, error: object) -> None:
        """A file that its job says nothing more about shares the job's fate."""
        for key, row in self.files.items():
            if key[0] == job_id and row.get("status") == "in_progress":
                fate = {"code": "job_failed", "message": str(error or "its job failed")} if status == "failed" else None
                self.files[key] = {**row, "status": status, "error": fate}
