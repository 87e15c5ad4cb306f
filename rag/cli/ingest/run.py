"""One ingest run: files are uploaded, then their jobs are followed until each file is searchable or has failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.cli.jobs.follow import POLL_S, JobPoller, failure_reason, job_files
from rag.cli.jobs.progress import ShowProgress, total_progress
from rag.types import JsonObject
from rag.upload import FileFailure, LocalFile, UploadTarget, upload_files

_SHARED_FIELDS = ("filename", "status", "change", "chunks", "warnings")
"""Fields that mean the same in the response of `POST /ingest` and in a job's list of files."""


@dataclass(slots=True)
class IngestRun:
    """An upload in progress, and the state of its files and jobs."""

    target: UploadTarget
    show: ShowProgress
    follow_jobs: bool = True
    """False to upload only."""
    total: int = 0
    """Number of files to upload."""
    files: dict[tuple[str, str], JsonObject] = field(default_factory=dict)
    """By job id and file id: as accepted, and in their final state once their job has ended."""
    upload_failures: list[FileFailure] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    _poller: JobPoller = field(init=False)
    _started: float = field(default_factory=time.monotonic)
    _polled: float = 0.0

    def __post_init__(self) -> None:
        self._poller = JobPoller(self.target.client)

    @property
    def rows(self) -> list[JsonObject]:
        return list(self.files.values())

    @property
    def failures(self) -> list[FileFailure]:
        """Files that were rejected on upload, and those that failed in their job."""
        failed = [row for row in self.rows if row.get("status") == "failed"]
        return [*self.upload_failures, *(FileFailure(str(row["filename"]), failure_reason(row)) for row in failed)]

    @property
    def cancelled(self) -> list[JsonObject]:
        return [row for row in self.rows if row.get("status") == "cancelled"]

    @property
    def unfinished_jobs(self) -> list[str]:
        """Jobs that are not known to have ended."""
        return self._poller.unfinished if self.follow_jobs else self.jobs

    def upload(self, files: Sequence[LocalFile]) -> None:
        """Raises what `upload_files` raises; `jobs` then holds what the service accepted before."""
        self.total += len(files)
        for result in upload_files(self.target, files):
            self.upload_failures += result.failures
            self.jobs += result.jobs
            for row in result.files:
                self.files[row["job_id"], str(row["file_id"])] = row
                if self.follow_jobs and row.get("status") == "in_progress":
                    self._poller.add(row["job_id"])
            self._poll_if_due()

    def wait(self) -> None:
        """Wait for all jobs, and update the state of each file."""
        job_ids = list(self._poller.jobs)
        self._poller.wait(self._show_progress)
        for job_id in job_ids:
            for row in job_files(self.target.client, job_id):
                self._update_file(job_id, row)
            job = self._poller.jobs[job_id]
            self._apply_job_status(job_id, str(job.get("status")), job.get("error"))

    def _poll_if_due(self) -> None:
        """Called while files are still being uploaded."""
        if time.monotonic() - self._polled >= POLL_S:
            self._poller.poll()
            self._polled = time.monotonic()
        self._show_progress()

    def _show_progress(self) -> None:
        jobs = self._poller.jobs
        without_job = sum(1 for job_id, _ in self.files if job_id not in jobs) + len(self.upload_failures)
        self.show(total_progress(jobs.values(), without_job, self.total, time.monotonic() - self._started))

    def _update_file(self, job_id: str, row: JsonObject) -> None:
        """Takes the state of a job's file over, with the field names of `POST /ingest`."""
        file_id = str(row["id"])
        accepted = self.files.get((job_id, file_id), {"file_id": file_id})
        changes = {name: row[name] for name in _SHARED_FIELDS if row.get(name) is not None}
        self.files[job_id, file_id] = {**accepted, **changes, "error": row.get("last_error"), "job_id": job_id}

    def _apply_job_status(self, job_id: str, status: str, job_error: object) -> None:
        """Files that are still in progress when their job has ended get the status of the job."""
        error = {"code": "job_failed", "message": str(job_error or "its job failed")} if status == "failed" else None
        for key, row in self.files.items():
            if key[0] == job_id and row.get("status") == "in_progress":
                self.files[key] = {**row, "status": status, "error": error}
