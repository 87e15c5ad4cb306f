"""`ingest`: documents from folders into a vector store, once or for as long as the folders change."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from rag.cli import watch
from rag.cli.feed import Feed
from rag.cli.follow import bar, leaving
from rag.cli.output import complain, fail, print_json, say
from rag.cli.service import (
    chunking_option,
    json_option,
    no_wait_option,
    object_option,
    service,
    store_option,
    url_option,
    world,
)
from rag.types import JsonObject
from rag.upload import Refusal, Selection, Target, select

SILENCE_TIMEOUT_S = 300.0
"""The service answers once it has the files on disk."""
MAX_LISTED = 20


@click.command()
@click.argument("paths", nargs=-1, required=True)
@url_option
@store_option
@object_option("--attributes", help='JSON object kept with every file, such as \'{"lang": "en"}\'.')
@chunking_option
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave these out: names below the folder, or file names."
)
@click.option("--watch", "keep_watching", is_flag=True, help="Go on: feed what changes in the folders.")
@no_wait_option
@json_option
def ingest(
    paths: tuple[str, ...],
    url: str,
    store: str,
    attributes: JsonObject | None,
    chunking: JsonObject | None,
    exclude: tuple[str, ...],
    keep_watching: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Feed documents: folders (with all below), globs, files.

    A file's name is its path below the folder given; feeding that name again replaces the document. The service
    accepts the files, and works on them even when this program is gone; unless --no-wait is given it follows.

    --watch goes on feeding what is new or changed in the folders, and removes from the vector store what is
    deleted there, until Ctrl-C. Where a network drive tells of no change, set WATCHFILES_FORCE_POLLING=true.
    """
    folders = [Path(path).expanduser() for path in paths if Path(path).expanduser().is_dir()]
    if keep_watching and (no_wait or not folders):
        raise click.UsageError("--watch needs a folder, and goes without --no-wait")
    selection = select(paths, exclude)
    if missing := [path for path in selection.missing if not (keep_watching and Path(path).expanduser() in folders)]:
        fail(f"nothing there: {', '.join(missing)}")
    fields = _fields(store, attributes, chunking)
    with service(url, SILENCE_TIMEOUT_S) as client:
        target = Target(client, fields, world().pause)
        feed = _pass(target, selection, as_json=as_json, wait=not no_wait)
        if keep_watching:
            watch.run(watch.FolderWatch(target, folders, exclude, as_json), selection.uploads, feed)
    sys.exit(1 if feed.failures or feed.cancelled else 0)


def _fields(store: str, attributes: JsonObject | None, chunking: JsonObject | None) -> dict[str, str]:
    fields = {"vector_store": store, "wait_s": "0"}
    if attributes is not None:
        fields["attributes"] = json.dumps(attributes)
    if chunking is not None:
        fields["chunking_strategy"] = json.dumps(chunking)
    return fields


def _pass(target: Target, selection: Selection, *, as_json: bool, wait: bool) -> Feed:
    started = time.monotonic()
    with bar("files", len(selection.uploads), quiet=as_json) as show:
        feed = Feed(target, show, following=wait)
        with leaving(lambda: feed.going_on):
            try:
                feed.send(selection.uploads)
            finally:
                if not wait and not as_json:
                    for job_id in feed.jobs:  # also when the rest could not be sent: they go on
                        say(job_id)
            if wait:
                feed.finish()
    _report(feed, selection, time.monotonic() - started, as_json=as_json, wait=wait)
    return feed


def _report(feed: Feed, selection: Selection, seconds: float, *, as_json: bool, wait: bool) -> None:
    if as_json:
        refused = [{"filename": refusal.name, "message": refusal.message} for refusal in feed.refusals]
        report = {"files": feed.rows, "refused": refused, "skipped": selection.skipped, "jobs": feed.jobs}
        print_json({**report, "seconds": round(seconds, 3)})
        return
    tell = say if wait else complain  # without a wait, stdout has the ids alone
    _list_failures(feed.failures)
    for path in selection.shadowed:
        complain(f"left out: {path}: another file given has the same name")
    if selection.skipped:
        tell(f"{selection.skipped:,} files skipped: their kind is not read; name a file to send it all the same")
    tell(f"{len(selection.uploads):,} files: {_counts(feed)} in {seconds:.0f} s")


def _counts(feed: Feed) -> str:
    rows = feed.rows
    changes = Counter(str(row.get("change")) for row in rows if row.get("status") == "completed")
    others = Counter(str(row.get("status")) for row in rows if row.get("status") in ("in_progress", "cancelled"))
    parts = [f"{changes[change]:,} {change}" for change in ("added", "replaced", "unchanged")]
    if others["in_progress"]:
        parts.append(f"{others['in_progress']:,} accepted")
    if others["cancelled"]:
        parts.append(f"{others['cancelled']:,} cancelled")
    if feed.failures:
        parts.append(f"{len(feed.failures):,} failed")
    chunks = sum(int(row.get("chunks") or 0) for row in rows if row.get("status") == "completed")
    return ", ".join([*parts, f"{chunks:,} chunks"])


def _list_failures(failures: Sequence[Refusal]) -> None:
    for failed in failures[:MAX_LISTED]:
        complain(f"failed: {failed.name}: {failed.message}")
    if len(failures) > MAX_LISTED:
        complain(f"... and {len(failures) - MAX_LISTED:,} more")
