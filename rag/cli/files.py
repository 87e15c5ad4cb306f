"""`files`: uploaded files, whatever vector stores they are in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click
import httpx

from rag.cli.options import json_option, limit_option, url_option
from rag.cli.output import (
    fail,
    format_size,
    format_time,
    print_fields,
    print_json,
    print_json_lines,
    print_message,
    print_result,
    print_table,
)
from rag.cli.service_client import api_path, connect, list_rows, raise_for_error, request_json
from rag.types import JsonObject
from rag.upload import LocalFile, ServiceError, json_object_of, select_files

UPLOAD_TIMEOUT_S = 300.0


@click.group()
def files() -> None:
    """Uploaded files: list, upload, show, download, delete."""


@files.command("list")
@limit_option
@url_option
@json_option
def list_files(limit: int | None, url: str, as_json: bool) -> None:
    """List all files, newest first."""
    with connect(url) as client:
        rows = list_rows(client, api_path("files"), limit)
        if as_json:
            print_json_lines(rows)
        else:
            cells = (
                (row["id"], row["filename"], format_size(row.get("bytes")), format_time(row.get("created_at")))
                for row in rows
            )
            print_table(("id", "name", "size", "uploaded"), cells)


@files.command()
@click.argument("paths", nargs=-1, required=True)
@url_option
@json_option
def upload(paths: tuple[str, ...], url: str, as_json: bool) -> None:
    """Upload files without adding them to a vector store; `stores add` does that."""
    selection = select_files(paths)
    if selection.unmatched:
        fail(f"no such file or folder: {', '.join(selection.unmatched)}")
    failed = False
    with connect(url, UPLOAD_TIMEOUT_S) as client:
        for file in selection.files:
            try:
                row = _upload(client, file)
            except (OSError, UnicodeError, ServiceError) as error:
                failed = True
                print_message(f"failed: {file.name}: {error}")
                continue
            print_result(row, f"{row['id']}  {row['filename']}", as_json=as_json)
    sys.exit(1 if failed else 0)


def _upload(client: httpx.Client, file: LocalFile) -> JsonObject:
    """One attempt only: this route takes no idempotency key, so a retry could upload the file twice."""
    with file.path.open("rb") as content:
        response = client.post(api_path("files"), data={"purpose": "assistants"}, files={"file": (file.name, content)})
    raise_for_error(response)
    return json_object_of(response)


@files.command()
@click.argument("file_id", metavar="ID")
@url_option
@json_option
def show(file_id: str, url: str, as_json: bool) -> None:
    """Show the details of a file."""
    with connect(url) as client:
        row = request_json(client, "GET", api_path("files", file_id))
    if as_json:
        print_json(row)
        return
    times = {"created_at": format_time(row.get("created_at")), "expires_at": format_time(row.get("expires_at"))}
    print_fields({**row, **times}.items())


@files.command()
@click.argument("file_id", metavar="ID")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout."
)
@url_option
def content(file_id: str, output: Path | None, url: str) -> None:
    """Download a file as it was uploaded."""
    with connect(url) as client:
        if output is None:
            _download(client, file_id, sys.stdout.buffer)
            return
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("wb") as file:
                _download(client, file_id, file)
            part.replace(output)
        except OSError as error:
            fail(f"cannot write {output}: {error.strerror or error}")
        finally:
            part.unlink(missing_ok=True)


def _download(client: httpx.Client, file_id: str, target: BinaryIO) -> None:
    with client.stream("GET", api_path("files", file_id, "content")) as response:
        raise_for_error(response)
        for chunk in response.iter_bytes():
            target.write(chunk)
    target.flush()


@files.command()
@click.argument("file_ids", metavar="ID...", nargs=-1, required=True)
@url_option
@json_option
def delete(file_ids: tuple[str, ...], url: str, as_json: bool) -> None:
    """Delete files, and their documents in all vector stores."""
    failed = False
    with connect(url) as client:
        for file_id in file_ids:
            try:
                row = request_json(client, "DELETE", api_path("files", file_id))
            except ServiceError as error:
                failed = True
                print_message(f"{file_id}: {error}")
                continue
            print_result(row, f"deleted {file_id}", as_json=as_json)
    sys.exit(1 if failed else 0)
