"""`files`: what was uploaded, whatever vector stores it is in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click
import httpx

from rag.cli.output import complain, fail, moment, print_facts, print_json, print_rows, print_table, say, size
from rag.cli.service import (
    answered,
    call,
    check,
    json_option,
    limit_option,
    pages,
    route,
    service,
    url_option,
)
from rag.types import JsonObject
from rag.upload import Rejected, Upload, select

UPLOAD_TIMEOUT_S = 300.0


@click.group()
def files() -> None:
    """Uploaded files: list, upload, show, read, delete."""


@files.command("list")
@limit_option
@url_option
@json_option
def list_files(limit: int | None, url: str, as_json: bool) -> None:
    """All files, the newest first."""
    with service(url) as client:
        rows = pages(client, route("files"), limit)
        if as_json:
            print_rows(rows)
        else:
            cells = ((r["id"], r["filename"], size(r.get("bytes")), moment(r.get("created_at"))) for r in rows)
            print_table(("id", "name", "size", "uploaded"), cells)


@files.command()
@click.argument("paths", nargs=-1, required=True)
@url_option
@json_option
def upload(paths: tuple[str, ...], url: str, as_json: bool) -> None:
    """Upload files, without feeding them to a vector store: `stores add` does that, as often as wanted."""
    selection = select(paths)
    if selection.missing:
        fail(f"nothing there: {', '.join(selection.missing)}")
    refused = 0
    with service(url, UPLOAD_TIMEOUT_S) as client:
        for item in selection.uploads:
            try:
                row = _upload(client, item)
            except (OSError, UnicodeError, Rejected) as error:
                refused += 1
                complain(f"failed: {item.name}: {error}")
                continue
            if as_json:
                print_json(row)
            else:
                say(f"{row['id']}  {row['filename']}")
    sys.exit(1 if refused else 0)


def _upload(client: httpx.Client, item: Upload) -> JsonObject:
    """Tried once: without an idempotency key on this route a second try could make a second file."""
    with item.path.open("rb") as file:
        response = client.post(route("files"), data={"purpose": "assistants"}, files={"file": (item.name, file)})
    check(response)
    return answered(response)


@files.command()
@click.argument("file_id", metavar="ID")
@url_option
@json_option
def show(file_id: str, url: str, as_json: bool) -> None:
    """What is known of a file."""
    with service(url) as client:
        row = call(client, "GET", route("files", file_id))
    if as_json:
        print_json(row)
        return
    times = {"created_at": moment(row.get("created_at")), "expires_at": moment(row.get("expires_at"))}
    print_facts({**row, **times}.items())


@files.command()
@click.argument("file_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Into this file, not to stdout.")
@url_option
def content(file_id: str, output: Path | None, url: str) -> None:
    """The bytes of a file as they were uploaded."""
    with service(url) as client:
        if output is None:
            _copy(client, file_id, sys.stdout.buffer)
            return
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("wb") as file:
                _copy(client, file_id, file)
            part.replace(output)
        except OSError as error:
            fail(f"{output}: {error.strerror or error}")
        finally:
            part.unlink(missing_ok=True)


def _copy(client: httpx.Client, file_id: str, to: BinaryIO) -> None:
    with client.stream("GET", route("files", file_id, "content")) as response:
        check(response)
        for piece in response.iter_bytes():
            to.write(piece)
    to.flush()


@files.command()
@click.argument("file_ids", metavar="ID...", nargs=-1, required=True)
@url_option
@json_option
def delete(file_ids: tuple[str, ...], url: str, as_json: bool) -> None:
    """Delete files, and their documents in all vector stores."""
    failed = False
    with service(url) as client:
        for file_id in file_ids:
            try:
                gone = call(client, "DELETE", route("files", file_id))
            except Rejected as error:
                failed = True
                complain(f"{file_id}: {error}")
                continue
            if as_json:
                print_json(gone)
            else:
                say(f"deleted {file_id}")
    sys.exit(1 if failed else 0)
