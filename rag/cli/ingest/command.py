"""The command `ingest`: adds documents to a vector store, once, or for as long as the folders change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from rag.cli.ingest import watch
from rag.cli.ingest.report import print_report
from rag.cli.ingest.run import IngestRun
from rag.cli.jobs.follow import report_unfinished_jobs
from rag.cli.jobs.progress import progress_bar
from rag.cli.options import (
    chunking_option,
    json_option,
    no_wait_option,
    object_option,
    read_group_option,
    store_option,
    url_option,
)
from rag.cli.output import fail, print_line
from rag.cli.service_client import cli_context, connect
from rag.types import JsonObject
from rag.upload import FileSelection, UploadTarget, select_files

READ_TIMEOUT_S = 300.0
"""The service responds after it has written the uploaded files to disk."""


@click.command()
@click.argument("paths", nargs=-1, required=True)
@url_option
@store_option
@object_option("--attributes", help='Attributes of every file, as a JSON object such as \'{"lang": "en"}\'.')
@chunking_option
@read_group_option
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Skip files whose name or path below the folder matches."
)
@click.option("--watch", "watch_folders", is_flag=True, help="Keep running and ingest what changes in the folders.")
@no_wait_option
@json_option
def ingest(
    paths: tuple[str, ...],
    url: str,
    store: str,
    attributes: JsonObject | None,
    chunking: JsonObject | None,
    read_groups: tuple[str, ...],
    exclude: tuple[str, ...],
    watch_folders: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Add documents to a vector store: folders (recursively), globs, files.

    A document's name is its path below the given folder; ingesting the same name again replaces the document. The
    service accepts the files and processes them even after this program has ended. Unless --no-wait is given, the
    program waits for them.

    --watch then ingests files that are new or changed in the folders, and removes from the vector store those
    that are deleted there, until Ctrl-C. For network drives without change notifications, set
    WATCHFILES_FORCE_POLLING=true.
    """
    folders = [Path(path).expanduser() for path in paths if Path(path).expanduser().is_dir()]
    if watch_folders and (no_wait or not folders):
        raise click.UsageError("--watch needs a folder, and cannot be combined with --no-wait")
    selection = select_files(paths, exclude)
    _require_matches(selection.unmatched, ignore=folders if watch_folders else ())
    with connect(url, READ_TIMEOUT_S) as client:
        fields = _form_fields(store, attributes, chunking, read_groups)
        target = UploadTarget(client, fields, cli_context().sleep_with)
        run = _ingest(target, selection, as_json=as_json, wait=not no_wait)
        if watch_folders:
            watch.watch_until_interrupted(watch.FolderWatcher(target, folders, exclude, as_json), selection.files, run)
    sys.exit(1 if run.failures or run.cancelled else 0)


def _require_matches(unmatched: Sequence[str], ignore: Sequence[Path]) -> None:
    """Exit if an argument matches nothing; a watched folder may be empty."""
    if missing := [path for path in unmatched if Path(path).expanduser() not in ignore]:
        fail(f"no such file or folder: {', '.join(missing)}")


def _form_fields(
    store: str, attributes: JsonObject | None, chunking: JsonObject | None, read_groups: Sequence[str]
) -> dict[str, str]:
    fields = {"vector_store": store, "wait_s": "0"}
    if attributes is not None:
        fields["attributes"] = json.dumps(attributes)
    if chunking is not None:
        fields["chunking_strategy"] = json.dumps(chunking)
    if read_groups:
        fields["read_groups"] = json.dumps(read_groups)
    return fields


def _ingest(target: UploadTarget, selection: FileSelection, *, as_json: bool, wait: bool) -> IngestRun:
    started = time.monotonic()
    with progress_bar("files", len(selection.files), quiet=as_json) as show:
        run = IngestRun(target, show, follow_jobs=wait)
        with report_unfinished_jobs(lambda: run.unfinished_jobs):
            try:
                run.upload(selection.files)
            finally:
                if not wait and not as_json:
                    for job_id in run.jobs:  # also after an error: the accepted jobs continue
                        print_line(job_id)
            if wait:
                run.wait()
    print_report(run, selection, time.monotonic() - started, as_json=as_json, wait=wait)
    return run
