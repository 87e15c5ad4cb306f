"""`jobs`: the work that the service has accepted, and its progress."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
import httpx

from rag.cli.jobs.follow import failure_reason, follow, job_files
from rag.cli.jobs.progress import total_progress
from rag.cli.options import json_option, limit_option, url_option, without_none
from rag.cli.output import (
    format_time,
    print_fields,
    print_json,
    print_json_lines,
    print_line,
    print_message,
    print_result,
    print_table,
    truncate,
)
from rag.cli.service_client import api_path, connect, list_rows, request_json
from rag.types import JsonObject

MAX_LISTED = 100

job_argument = click.argument("job_id", metavar="ID")


@click.group()
def jobs() -> None:
    """Work that the service has accepted: ingest and reindex jobs."""


@jobs.command("list")
@click.option("--active", is_flag=True, help="Only jobs that have not ended.")
@click.option("--store", help="Only jobs of this vector store: its name or id.")
@limit_option
@url_option
@json_option
def list_jobs(active: bool, store: str | None, limit: int | None, url: str, as_json: bool) -> None:
    """List all jobs, newest first."""
    with connect(url) as client:
        rows = list_rows(client, api_path("jobs"), limit, active="true" if active else None, vector_store_id=store)
        if as_json:
            print_json_lines(rows)
        else:
            print_table(("id", "kind", "status", "files", "failed", "created", "progress"), map(_cells, rows))


def _cells(job: JsonObject) -> tuple[object, ...]:
    progress = total_progress([job])
    failed = (job.get("file_counts") or {}).get("failed") or ""
    files = f"{progress.done}/{progress.total}"
    created = format_time(job.get("created_at"))
    return job["id"], job.get("kind"), job.get("status"), files, failed, created, truncate(progress, 80)


@jobs.command()
@job_argument
@url_option
@json_option
def show(job_id: str, url: str, as_json: bool) -> None:
    """Show a job, its failed files, and what was not read of the others."""
    with connect(url) as client:
        job = request_json(client, "GET", api_path("jobs", job_id))
        failed = list(job_files(client, job_id, "failed"))
        incomplete = [row for row in job_files(client, job_id, "completed") if row.get("warnings")]
    if as_json:
        print_json({**job, "failed_files": failed, "incomplete_files": incomplete})
    else:
        _print_job(job)
        _print_failed(failed)
        _print_files(f"{_named(row)}: {'; '.join(row['warnings'])}" for row in incomplete)


def _print_job(job: JsonObject) -> None:
    progress = total_progress([job])
    fields = {
        "id": job["id"],
        "kind": job.get("kind"),
        "store": job.get("vector_store_id"),
        "status": job.get("status"),
        "files": f"{progress.done} of {progress.total}",
        "progress": str(progress),
        "created": format_time(job.get("created_at")),
        "started": format_time(job.get("started_at")),
        "finished": format_time(job.get("finished_at")),
        "error": job.get("error"),
        "details": job.get("details"),
    }
    print_fields(fields.items())


def _print_failed(rows: Iterable[JsonObject]) -> None:
    _print_files(f"failed: {_named(row)}: {failure_reason(row)}" for row in rows)


def _print_files(lines: Iterable[str]) -> None:
    found = list(lines)
    for line in found[:MAX_LISTED]:
        print_line(line)
    if len(found) > MAX_LISTED:
        print_line(f"... and {len(found) - MAX_LISTED:,} more")


def _named(row: JsonObject) -> str:
    return f"{row.get('filename')} ({row['id']})"


@jobs.command("follow")
@job_argument
@url_option
@json_option
def follow_job(job_id: str, url: str, as_json: bool) -> None:
    """Show a job's progress until it has ended; with --json, a line for each change.

    The exit code is 1 if the job, or one of its files, failed.
    """
    with connect(url) as client:
        job = request_json(client, "GET", api_path("jobs", job_id))
        job = follow(client, job, quiet=as_json, on_change=print_json if as_json else lambda _: None)
        sys.exit(print_outcome(client, job, as_json))


def print_outcome(client: httpx.Client, job: JsonObject, as_json: bool) -> int:
    """Print how a job has ended; returns the exit code. With `as_json`, print only its error."""
    counts = job.get("file_counts") or {}
    if not as_json:
        if counts.get("failed"):
            _print_failed(job_files(client, str(job["id"]), "failed"))
        progress = total_progress([job])
        files = f"{progress.done} of {progress.total} files"
        print_line(f"{job['id']} {job.get('status')}: {files}, {progress.chunks:,} chunks")
    if job.get("error"):
        print_message(str(job["error"]))
    return 0 if job.get("status") == "completed" and not counts.get("failed") else 1


@jobs.command()
@job_argument
@url_option
@json_option
def cancel(job_id: str, url: str, as_json: bool) -> None:
    """Stop a job: completed files stay, all others keep the state they had before the job."""
    with connect(url) as client:
        job = request_json(client, "POST", api_path("jobs", job_id, "cancel"), {})
    print_result(job, f"{job['id']} {job.get('status')}", as_json=as_json)


@jobs.command()
@job_argument
@click.option("--file", "file_ids", metavar="FILE_ID", multiple=True, help="Only this file; can be repeated.")
@url_option
@json_option
def retry(job_id: str, file_ids: tuple[str, ...], url: str, as_json: bool) -> None:
    """Start a new job for the failed and cancelled files of a job."""
    body = without_none({"file_ids": list(file_ids) or None})
    with connect(url) as client:
        job = request_json(client, "POST", api_path("jobs", job_id, "retry"), body)
    print_result(job, str(job["id"]), as_json=as_json)
