"""`jobs`: accepted work, and how far it is."""

from __future__ import annotations

import sys

import click
import httpx

from rag.cli.follow import described, failure, follow, job_files, tally
from rag.cli.output import complain, moment, print_facts, print_json, print_rows, print_table, say, shortened
from rag.cli.service import call, given, json_option, limit_option, pages, route, service, url_option
from rag.types import JsonObject

MAX_LISTED = 100

job_argument = click.argument("job_id", metavar="ID")


@click.group()
def jobs() -> None:
    """Work that the service has accepted: ingest and reindex."""


@jobs.command("list")
@click.option("--active", is_flag=True, help="Only those that have not ended.")
@click.option("--store", help="Only those of this vector store: its name or id.")
@limit_option
@url_option
@json_option
def list_jobs(active: bool, store: str | None, limit: int | None, url: str, as_json: bool) -> None:
    """All jobs, the newest first."""
    with service(url) as client:
        rows = pages(client, route("jobs"), limit, active="true" if active else None, vector_store_id=store)
        if as_json:
            print_rows(rows)
        else:
            print_table(("id", "kind", "status", "files", "failed", "created", "progress"), map(_cells, rows))


def _cells(job: JsonObject) -> tuple[object, ...]:
    state = tally([job])
    failed = (job.get("file_counts") or {}).get("failed") or ""
    files = f"{state.done}/{state.total}"
    started = moment(job.get("created_at"))
    return job["id"], job.get("kind"), job.get("status"), files, failed, started, shortened(described(state), 80)


@jobs.command()
@job_argument
@url_option
@json_option
def show(job_id: str, url: str, as_json: bool) -> None:
    """A job, and the files of it that failed."""
    with service(url) as client:
        job = call(client, "GET", route("jobs", job_id))
        failed = list(job_files(client, job_id, "failed"))
    if as_json:
        print_json({**job, "failed_files": failed})
    else:
        _show(job)
        _list_failed(failed)


def _show(job: JsonObject) -> None:
    state = tally([job])
    print_facts(
        (
            ("id", job["id"]),
            ("kind", job.get("kind")),
            ("store", job.get("vector_store_id")),
            ("status", job.get("status")),
            ("files", f"{state.done} of {state.total}"),
            ("progress", described(state)),
            ("created", moment(job.get("created_at"))),
            ("started", moment(job.get("started_at"))),
            ("finished", moment(job.get("finished_at"))),
            ("error", job.get("error")),
            ("details", job.get("details")),
        )
    )


def _list_failed(failed: list[JsonObject]) -> None:
    for row in failed[:MAX_LISTED]:
        say(f"failed: {row.get('filename')} ({row['id']}): {failure(row)}")
    if len(failed) > MAX_LISTED:
        say(f"... and {len(failed) - MAX_LISTED:,} more")


@jobs.command("follow")
@job_argument
@url_option
@json_option
def follow_job(job_id: str, url: str, as_json: bool) -> None:
    """Show a job's progress until it has ended; as JSON, a line for each change.

    The exit code is 1 if the job, or a file of it, failed.
    """
    with service(url) as client:
        job = call(client, "GET", route("jobs", job_id))
        job = follow(client, job, quiet=as_json, seen=print_json if as_json else lambda _: None)
        sys.exit(ended(client, job, as_json))


def ended(client: httpx.Client, job: JsonObject, as_json: bool) -> int:
    """Tells how a job ended; the exit code."""
    counts = job.get("file_counts") or {}
    if not as_json:
        if counts.get("failed"):
            _list_failed(list(job_files(client, str(job["id"]), "failed")))
        state = tally([job])
        say(f"{job['id']} {job.get('status')}: {state.done} of {state.total} files, {state.chunks:,} chunks")
    if job.get("error"):
        complain(str(job["error"]))
    return 0 if job.get("status") == "completed" and not counts.get("failed") else 1


@jobs.command()
@job_argument
@url_option
@json_option
def cancel(job_id: str, url: str, as_json: bool) -> None:
    """Stop a job: files that are done stay, the others are as they were before it."""
    with service(url) as client:
        job = call(client, "POST", route("jobs", job_id, "cancel"), {})
    print_json(job) if as_json else say(f"{job['id']} {job.get('status')}")


@jobs.command()
@job_argument
@click.option("--file", "file_ids", metavar="FILE_ID", multiple=True, help="Only this one; may be given again.")
@url_option
@json_option
def retry(job_id: str, file_ids: tuple[str, ...], url: str, as_json: bool) -> None:
    """Begin a new job for the failed and cancelled files of one."""
    body = given({"file_ids": list(file_ids) or None})
    with service(url) as client:
        job = call(client, "POST", route("jobs", job_id, "retry"), body)
    print_json(job) if as_json else say(str(job["id"]))
