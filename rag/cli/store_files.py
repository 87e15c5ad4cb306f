"""`stores files|add|remove|set-attributes`: the documents of a vector store, by file id or by file name."""

from __future__ import annotations

import json
import sys

import click
import httpx

from rag.cli.follow import failure, follow, job_files
from rag.cli.output import complain, print_json, print_rows, print_table, say
from rag.cli.service import (
    answered,
    call,
    check,
    chunking_option,
    given,
    json_object,
    json_option,
    limit_option,
    no_wait_option,
    object_option,
    pages,
    route,
    service,
    url_option,
)
from rag.types import JsonObject
from rag.upload import Rejected

BATCH = 500
"""Files attached by one request at most."""
STATUSES = ("in_progress", "completed", "failed", "cancelled")

store_argument = click.argument("store", metavar="STORE")


@click.command("files")
@store_argument
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@limit_option
@url_option
@json_option
def list_store_files(store: str, status: str | None, limit: int | None, url: str, as_json: bool) -> None:
    """The documents in a vector store, and how they are."""
    with service(url) as client:
        rows = pages(client, route("vector_stores", store, "files"), limit, filter=status)
        if as_json:
            print_rows(rows)
        else:
            print_table(("id", "name", "status", "pages", "chunks", "why"), map(file_cells, rows))


def file_cells(row: JsonObject) -> tuple[object, ...]:
    why = failure(row) if row.get("last_error") else ""
    return row["id"], row.get("filename"), row.get("status"), row.get("pages") or "", row.get("chunks"), why


@click.command()
@store_argument
@click.argument("file_ids", metavar="FILE_ID...", nargs=-1, required=True)
@object_option("--attributes", help="JSON object kept with each.")
@chunking_option
@no_wait_option
@url_option
@json_option
def add(
    store: str,
    file_ids: tuple[str, ...],
    attributes: JsonObject | None,
    chunking: JsonObject | None,
    no_wait: bool,
    url: str,
    as_json: bool,
) -> None:
    """Feed uploaded files to a vector store, and wait until they can be found."""
    options = given({"attributes": attributes, "chunking_strategy": chunking})
    failed = False
    with service(url) as client:
        for start in range(0, len(file_ids), BATCH):
            body = {"file_ids": list(file_ids[start : start + BATCH]), **options}
            batch = call(client, "POST", route("vector_stores", store, "file_batches"), body)
            if no_wait:
                print_json(batch) if as_json else say(str(batch["id"]))
            else:
                failed |= _follow(client, str(batch["id"]), as_json)
    sys.exit(1 if failed else 0)


def _follow(client: httpx.Client, job_id: str, as_json: bool) -> bool:
    """Whether something in it failed."""
    job = follow(client, call(client, "GET", route("jobs", job_id)), quiet=as_json, seen=lambda _: None)
    rows = list(job_files(client, job_id))
    for row in rows:
        if as_json:
            print_json(row)
        elif row.get("status") == "completed":
            say(f"{row.get('change') or 'added'} {row.get('filename')} ({int(row.get('chunks') or 0):,} chunks)")
        else:
            complain(f"{row.get('status')}: {row.get('filename')}: {failure(row)}")
    return job.get("status") != "completed" or any(row.get("status") != "completed" for row in rows)


@click.command()
@store_argument
@click.argument("documents", metavar="FILE...", nargs=-1, required=True)
@url_option
@json_option
def remove(store: str, documents: tuple[str, ...], url: str, as_json: bool) -> None:
    """Take documents out of a vector store, by file id or file name; the uploaded files stay."""
    failed = False
    with service(url) as client:
        for document in documents:
            try:
                row = find(client, store, document)
                gone = call(client, "DELETE", route("vector_stores", store, "files", str(row["id"])))
            except Rejected as error:
                failed = True
                complain(str(error))
                continue
            if as_json:
                print_json(gone)
            else:
                say(f"removed {row.get('filename') or document}")
    sys.exit(1 if failed else 0)


@click.command("set-attributes")
@store_argument
@click.argument("document", metavar="FILE")
@click.argument("attributes", metavar="JSON")
@click.option("--merge", is_flag=True, help="Keep those that are not named; null removes one.")
@url_option
@json_option
def set_attributes(store: str, document: str, attributes: str, merge: bool, url: str, as_json: bool) -> None:
    """Replace the attributes of a document, given by file id or file name; it is not encoded again."""
    body: JsonObject = {"attributes": json_object(attributes, "JSON"), **({"merge": True} if merge else {})}
    with service(url) as client:
        row = find(client, store, document)
        changed = call(client, "POST", route("vector_stores", store, "files", str(row["id"])), body)
    if as_json:
        print_json(changed)
    else:
        said = json.dumps(changed.get("attributes"), ensure_ascii=False)
        say(f"{changed.get('filename') or document}: {said}")


def find(client: httpx.Client, store: str, document: str) -> JsonObject:
    """The document with this file id, or else of this file name. Raises Rejected when there is none."""
    path = route("vector_stores", store, "files")
    response = client.get(route("vector_stores", store, "files", document))
    if response.status_code != 404:
        check(response)
        return answered(response)
    for row in pages(client, path):
        if document in (row.get("filename"), row["id"]):
            return row
    raise Rejected(f"{store} has no document with the file id or name {document}")
