"""The commands `stores files|add|remove|set-attributes|set-read-groups`: documents, given by file id or file name."""

from __future__ import annotations

import json
import sys

import click
import httpx

from rag.cli.jobs.follow import failure_reason, follow, job_files
from rag.cli.options import (
    chunking_option,
    json_object,
    json_option,
    limit_option,
    no_wait_option,
    object_option,
    read_group_option,
    url_option,
    without_none,
)
from rag.cli.output import print_json, print_json_lines, print_line, print_message, print_result, print_table
from rag.cli.service_client import api_path, connect, list_rows, raise_for_error, request_json
from rag.types import JsonObject
from rag.upload import ServiceError, json_object_of

BATCH_SIZE = 500
"""Maximum number of files that one request adds."""
STATUSES = ("in_progress", "completed", "failed", "cancelled")

store_argument = click.argument("store", metavar="STORE")


@click.command("files")
@store_argument
@click.option("--status", type=click.Choice(STATUSES), help="Only documents with this status.")
@limit_option
@url_option
@json_option
def list_documents(store: str, status: str | None, limit: int | None, url: str, as_json: bool) -> None:
    """List the documents of a vector store with their status."""
    with connect(url) as client:
        rows = list_rows(client, api_path("vector_stores", store, "files"), limit, filter=status)
        if as_json:
            print_json_lines(rows)
        else:
            print_table(("id", "name", "status", "pages", "chunks", "why"), map(_cells, rows))


def _cells(row: JsonObject) -> tuple[object, ...]:
    reason = failure_reason(row) if row.get("last_error") else ""
    return row["id"], row.get("filename"), row.get("status"), row.get("pages") or "", row.get("chunks"), reason


@click.command()
@store_argument
@click.argument("file_ids", metavar="FILE_ID...", nargs=-1, required=True)
@object_option("--attributes", help="Attributes of each document, as a JSON object.")
@chunking_option
@read_group_option
@no_wait_option
@url_option
@json_option
def add(
    store: str,
    file_ids: tuple[str, ...],
    attributes: JsonObject | None,
    chunking: JsonObject | None,
    read_groups: tuple[str, ...],
    no_wait: bool,
    url: str,
    as_json: bool,
) -> None:
    """Add uploaded files to a vector store, and wait until they are searchable."""
    groups = list(read_groups) or None
    options = without_none({"attributes": attributes, "chunking_strategy": chunking, "read_groups": groups})
    failed = False
    with connect(url) as client:
        for start in range(0, len(file_ids), BATCH_SIZE):
            body = {"file_ids": list(file_ids[start : start + BATCH_SIZE]), **options}
            batch = request_json(client, "POST", api_path("vector_stores", store, "file_batches"), body)
            if no_wait:
                print_result(batch, str(batch["id"]), as_json=as_json)
            elif not _wait_for_batch(client, str(batch["id"]), as_json):
                failed = True
    sys.exit(1 if failed else 0)


def _wait_for_batch(client: httpx.Client, job_id: str, as_json: bool) -> bool:
    """True if the job and all its files succeeded."""
    job = follow(client, request_json(client, "GET", api_path("jobs", job_id)), quiet=as_json)
    rows = list(job_files(client, job_id))
    for row in rows:
        if as_json:
            print_json(row)
        elif row.get("status") == "completed":
            print_line(f"{row.get('change') or 'added'} {row.get('filename')} ({int(row.get('chunks') or 0):,} chunks)")
        else:
            print_message(f"{row.get('status')}: {row.get('filename')}: {failure_reason(row)}")
    return all(row.get("status") == "completed" for row in [job, *rows])


@click.command()
@store_argument
@click.argument("documents", metavar="FILE...", nargs=-1, required=True)
@url_option
@json_option
def remove(store: str, documents: tuple[str, ...], url: str, as_json: bool) -> None:
    """Remove documents from a vector store, by file id or file name; the uploaded files are kept."""
    failed = False
    with connect(url) as client:
        for document in documents:
            try:
                row = find_document(client, store, document)
                response = request_json(client, "DELETE", _document_path(store, row))
            except ServiceError as error:
                failed = True
                print_message(str(error))
                continue
            print_result(response, f"removed {row.get('filename') or document}", as_json=as_json)
    sys.exit(1 if failed else 0)


@click.command("set-attributes")
@store_argument
@click.argument("document", metavar="FILE")
@click.argument("attributes", metavar="JSON")
@click.option("--merge", is_flag=True, help="Keep attributes that are not given; null removes one.")
@url_option
@json_option
def set_attributes(store: str, document: str, attributes: str, merge: bool, url: str, as_json: bool) -> None:
    """Replace the attributes of a document, given by file id or file name; it is not encoded again."""
    body: JsonObject = {"attributes": json_object(attributes, "JSON"), **({"merge": True} if merge else {})}
    updated = _update(url, store, document, body)
    text = json.dumps(updated.get("attributes"), ensure_ascii=False)
    print_result(updated, f"{updated.get('filename') or document}: {text}", as_json=as_json)


@click.command("set-read-groups")
@store_argument
@click.argument("document", metavar="FILE")
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@url_option
@json_option
def set_read_groups(store: str, document: str, groups: tuple[str, ...], url: str, as_json: bool) -> None:
    """Change who may read a document, given by file id or file name: these groups, or everyone if there are none."""
    updated = _update(url, store, document, {"read_groups": list(groups)})
    text = ", ".join(updated.get("read_groups") or ["everyone"])
    print_result(updated, f"{updated.get('filename') or document}: {text}", as_json=as_json)


def _update(url: str, store: str, document: str, body: JsonObject) -> JsonObject:
    with connect(url) as client:
        row = find_document(client, store, document)
        return request_json(client, "POST", _document_path(store, row), body)


def find_document(client: httpx.Client, store: str, document: str) -> JsonObject:
    """The document with this file id, or else with this file name. Raises ServiceError if there is none."""
    response = client.get(api_path("vector_stores", store, "files", document))
    if response.status_code != 404:
        raise_for_error(response)
        return json_object_of(response)
    for row in list_rows(client, api_path("vector_stores", store, "files")):
        if document in (row.get("filename"), row["id"]):
            return row
    raise ServiceError(f"{store} has no document with the file id or name {document}")


def _document_path(store: str, row: JsonObject) -> str:
    return api_path("vector_stores", store, "files", str(row["id"]))
