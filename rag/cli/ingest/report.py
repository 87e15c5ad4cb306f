"""What `ingest` prints about a run that has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rag.cli.ingest.run import IngestRun
from rag.cli.output import print_json, print_line, print_message
from rag.types import JsonObject
from rag.upload import FileFailure, FileSelection

MAX_LISTED = 20


def print_report(run: IngestRun, selection: FileSelection, seconds: float, *, as_json: bool, wait: bool) -> None:
    if as_json:
        rejected = [{"filename": failure.name, "message": failure.message} for failure in run.upload_failures]
        report = {"files": run.rows, "refused": rejected, "skipped": selection.skipped, "jobs": run.jobs}
        print_json({**report, "seconds": round(seconds, 3)})
        return
    _print_failures(run.failures)
    _print_warnings(run.rows)
    for path in selection.name_conflicts:
        print_message(f"skipped: {path}: another given file has the same name")
    print_summary = print_line if wait else print_message  # without waiting, stdout holds only the job ids
    if selection.skipped:
        files = "1 file" if selection.skipped == 1 else f"{selection.skipped:,} files"
        print_summary(f"{files} skipped: unsupported type; give a file by name to upload it anyway")
    print_summary(f"{len(selection.files):,} files: {_counts(run)} in {seconds:.0f} s")


def _counts(run: IngestRun) -> str:
    rows = run.rows
    changes = Counter(str(row.get("change")) for row in rows if row.get("status") == "completed")
    statuses = Counter(str(row.get("status")) for row in rows)
    parts = [f"{changes[change]:,} {change}" for change in ("added", "replaced", "unchanged")]
    if statuses["in_progress"]:
        parts.append(f"{statuses['in_progress']:,} accepted")
    if statuses["cancelled"]:
        parts.append(f"{statuses['cancelled']:,} cancelled")
    if run.failures:
        parts.append(f"{len(run.failures):,} failed")
    chunks = sum(int(row.get("chunks") or 0) for row in rows if row.get("status") == "completed")
    return ", ".join([*parts, f"{chunks:,} chunks"])


def _print_warnings(rows: Sequence[JsonObject]) -> None:
    """What was not read, of files that this run has read."""
    read = [row for row in rows if row.get("warnings") and row.get("change") != "unchanged"]
    for row in read[:MAX_LISTED]:
        print_message(f"{row['filename']}: {'; '.join(map(str, row['warnings']))}")
    if len(read) > MAX_LISTED:
        print_message(f"... and {len(read) - MAX_LISTED:,} more files were not read completely")


def _print_failures(failures: Sequence[FileFailure]) -> None:
    for failure in failures[:MAX_LISTED]:
        print_message(f"failed: {failure.name}: {failure.message}")
    if len(failures) > MAX_LISTED:
        print_message(f"... and {len(failures) - MAX_LISTED:,} more")
