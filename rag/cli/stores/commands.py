"""The commands of `stores`. A STORE is given by name or id; the service accepts both."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypedDict, TypeVar, Unpack

import click

from rag.cli.options import chunking_option, json_option, limit_option, object_option, url_option, without_none
from rag.cli.output import (
    format_size,
    format_time,
    print_fields,
    print_json,
    print_json_lines,
    print_result,
    print_table,
    truncate,
)
from rag.cli.service_client import api_path, connect, list_rows, request_json
from rag.cli.stores.documents import add, list_documents, remove, set_attributes, set_read_groups, store_argument
from rag.types import JsonObject

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_STORE_OPTIONS = (
    click.option("--description", help="A description for people."),
    object_option("--metadata", help="JSON object of up to 16 strings."),
    chunking_option,
    object_option("--retrieval", help="Search settings of this store, as a JSON object; replaces all earlier ones."),
    click.option("--expires-days", type=click.IntRange(1, 365), help="Expire this many days after the last use."),
)


class StoreOptions(TypedDict):
    """The options of `create` and `update`, as click passes them."""

    description: str | None
    metadata: JsonObject | None
    chunking: JsonObject | None
    retrieval: JsonObject | None
    expires_days: int | None


def store_options(command: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Adds the options of `StoreOptions`."""
    for option in reversed(_STORE_OPTIONS):
        command = option(command)
    return command


@click.group()
def stores() -> None:
    """Vector stores, and the documents in them."""


for command in (list_documents, add, remove, set_attributes, set_read_groups):
    stores.add_command(command)


@stores.command("list")
@limit_option
@url_option
@json_option
def list_stores(limit: int | None, url: str, as_json: bool) -> None:
    """List all vector stores."""
    with connect(url) as client:
        rows = list_rows(client, api_path("vector_stores"), limit)
        if as_json:
            print_json_lines(rows)
        else:
            print_table(("id", "name", "status", "files", "failed", "size"), map(_cells, rows))


def _cells(row: JsonObject) -> tuple[object, ...]:
    counts = row.get("file_counts") or {}
    size = format_size(row.get("usage_bytes"))
    return row["id"], row.get("name"), row.get("status"), counts.get("total", ""), counts.get("failed", ""), size


@stores.command()
@click.argument("name")
@store_options
@url_option
@json_option
def create(name: str, url: str, as_json: bool, **options: Unpack[StoreOptions]) -> None:
    """Create an empty vector store."""
    with connect(url) as client:
        row = request_json(client, "POST", api_path("vector_stores"), _request_body(name, options))
    print_result(row, f"{row['id']}  {row.get('name', name)}", as_json=as_json)


def _request_body(name: str | None, options: StoreOptions) -> JsonObject:
    days = options["expires_days"]
    return without_none(
        {
            "name": name,
            "description": options["description"],
            "metadata": options["metadata"],
            "chunking_strategy": options["chunking"],
            "retrieval": options["retrieval"],
            "expires_after": None if days is None else {"anchor": "last_active_at", "days": days},
        }
    )


@stores.command()
@store_argument
@url_option
@json_option
def show(store: str, url: str, as_json: bool) -> None:
    """Show the details of a vector store."""
    with connect(url) as client:
        _print_store(request_json(client, "GET", api_path("vector_stores", store)), as_json)


def _print_store(row: JsonObject, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    times = {name: format_time(row.get(name)) for name in ("created_at", "last_active_at", "expires_at")}
    print_fields({**row, **times, "usage_bytes": format_size(row.get("usage_bytes"))}.items())


@stores.command()
@store_argument
@click.option("--name", help="New name.")
@store_options
@click.option("--no-expiry", is_flag=True, help="Never expire.")
@click.option("--no-retrieval", is_flag=True, help="Search with the settings of the service.")
@url_option
@json_option
def update(
    store: str,
    name: str | None,
    no_expiry: bool,
    no_retrieval: bool,
    url: str,
    as_json: bool,
    **options: Unpack[StoreOptions],
) -> None:
    """Change the given properties of a vector store; all others stay as they are."""
    body = _request_body(name, options)
    if no_expiry:
        _set_to_null(body, "expires_after", "--expires-days and --no-expiry cannot be combined")
    if no_retrieval:
        _set_to_null(body, "retrieval", "--retrieval and --no-retrieval cannot be combined")
    if not body:
        raise click.UsageError("give at least one option that changes the vector store")
    with connect(url) as client:
        _print_store(request_json(client, "POST", api_path("vector_stores", store), body), as_json)


def _set_to_null(body: JsonObject, field: str, conflict: str) -> None:
    if field in body:
        raise click.UsageError(conflict)
    body[field] = None


@stores.command()
@store_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@url_option
@json_option
def delete(store: str, yes: bool, url: str, as_json: bool) -> None:
    """Delete a vector store with all its documents; the uploaded files are kept."""
    with connect(url) as client:
        if not yes:
            _confirm_deletion(request_json(client, "GET", api_path("vector_stores", store)))
        row = request_json(client, "DELETE", api_path("vector_stores", store))
    print_result(row, f"deleted {store}", as_json=as_json)


def _confirm_deletion(row: JsonObject) -> None:
    total = (row.get("file_counts") or {}).get("total", "")
    click.confirm(f"Delete {row.get('name')} ({row['id']}) with its {total} documents?", abort=True, err=True)


@stores.command()
@store_argument
@click.argument("query")
@click.option("--limit", type=click.IntRange(1, 50), help="Maximum number of hits.")
@object_option("--filters", help="A filter in OpenAI's format, as JSON.")
@url_option
@json_option
def search(store: str, query: str, limit: int | None, filters: JsonObject | None, url: str, as_json: bool) -> None:
    """Search a vector store."""
    body = without_none({"query": query, "max_num_results": limit, "filters": filters})
    with connect(url) as client:
        result = request_json(client, "POST", api_path("vector_stores", store, "search"), body)
    if as_json:
        print_json(result)
        return
    rows = (
        (number, f"{hit['score']:.3f}", hit["filename"], _text(hit)) for number, hit in enumerate(result["data"], 1)
    )
    print_table(("", "score", "file", "text"), rows)


def _text(hit: JsonObject) -> str:
    return truncate(" ".join(str(part.get("text", "")) for part in hit.get("content") or []), 120)
