"""`stores`: vector stores. A STORE is named by its name or its id; the service knows both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import httpx

from rag.cli.output import moment, print_facts, print_json, print_rows, print_table, say, shortened, size
from rag.cli.service import (
    call,
    chunking_option,
    given,
    json_option,
    limit_option,
    object_option,
    pages,
    route,
    service,
    url_option,
)
from rag.cli.store_files import add, list_store_files, remove, set_attributes
from rag.types import JsonObject

store_argument = click.argument("store", metavar="STORE")
_SAID = (
    click.option("--description", help="For people."),
    object_option("--metadata", help="JSON object of up to 16 texts."),
    chunking_option,
    object_option("--retrieval", help="How it is searched: JSON object of settings, in place of those it had."),
    click.option("--expires-days", type=click.IntRange(1, 365), help="Days after its last use."),
)


def said_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What can be said of a vector store; `_body` takes it."""
    for option in reversed(_SAID):
        command = option(command)
    return command


@click.group()
def stores() -> None:
    """Vector stores, and the documents in them."""


for command in (list_store_files, add, remove, set_attributes):
    stores.add_command(command)


@stores.command("list")
@limit_option
@url_option
@json_option
def list_stores(limit: int | None, url: str, as_json: bool) -> None:
    """All vector stores."""
    with service(url) as client:
        rows = pages(client, route("vector_stores"), limit)
        if as_json:
            print_rows(rows)
        else:
            cells = ((r["id"], r.get("name"), r.get("status"), *_counts(r), size(r.get("usage_bytes"))) for r in rows)
            print_table(("id", "name", "status", "files", "failed", "size"), cells)


def _counts(row: JsonObject) -> tuple[object, object]:
    counts = row.get("file_counts") or {}
    return counts.get("total", ""), counts.get("failed", "")


@stores.command()
@click.argument("name")
@said_options
@url_option
@json_option
def create(name: str, url: str, as_json: bool, **said: Any) -> None:
    """Make an empty vector store."""
    with service(url) as client:
        row = call(client, "POST", route("vector_stores"), _body(name, **said))
    if as_json:
        print_json(row)
    else:
        say(f"{row['id']}  {row.get('name', name)}")


def _body(
    name: str | None,
    description: str | None,
    metadata: JsonObject | None,
    chunking: JsonObject | None,
    retrieval: JsonObject | None,
    expires_days: int | None,
) -> JsonObject:
    expiry = None if expires_days is None else {"anchor": "last_active_at", "days": expires_days}
    texts = {"name": name, "description": description, "metadata": metadata}
    return given({**texts, "chunking_strategy": chunking, "retrieval": retrieval, "expires_after": expiry})


@stores.command()
@store_argument
@url_option
@json_option
def show(store: str, url: str, as_json: bool) -> None:
    """What is known of a vector store."""
    with service(url) as client:
        _show(call(client, "GET", route("vector_stores", store)), as_json)


def _show(row: JsonObject, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    times = {name: moment(row.get(name)) for name in ("created_at", "last_active_at", "expires_at")}
    print_facts({**row, **times, "usage_bytes": size(row.get("usage_bytes"))}.items())


@stores.command()
@store_argument
@click.option("--name", help="Its new name.")
@said_options
@click.option("--no-expiry", is_flag=True, help="It shall not expire.")
@click.option("--no-retrieval", is_flag=True, help="It shall be searched as the service is set.")
@url_option
@json_option
def update(
    store: str, name: str | None, no_expiry: bool, no_retrieval: bool, url: str, as_json: bool, **said: Any
) -> None:
    """Change what is said of a vector store; the rest stays."""
    body = _body(name, **said)
    if no_expiry:
        _take_away(body, "expires_after", "either --expires-days or --no-expiry")
    if no_retrieval:
        _take_away(body, "retrieval", "either --retrieval or --no-retrieval")
    if not body:
        raise click.UsageError("say what shall change")
    with service(url) as client:
        _show(call(client, "POST", route("vector_stores", store), body), as_json)


def _take_away(body: JsonObject, field: str, fault: str) -> None:
    if field in body:
        raise click.UsageError(fault)
    body[field] = None


@stores.command()
@store_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@url_option
@json_option
def delete(store: str, yes: bool, url: str, as_json: bool) -> None:
    """Delete a vector store with all its documents; uploaded files stay."""
    with service(url) as client:
        if not yes:
            _confirm(call(client, "GET", route("vector_stores", store)))
        gone = call(client, "DELETE", route("vector_stores", store))
    if as_json:
        print_json(gone)
    else:
        say(f"deleted {store}")


def _confirm(row: JsonObject) -> None:
    total, _ = _counts(row)
    click.confirm(f"Delete {row.get('name')} ({row['id']}) with its {total} documents?", abort=True, err=True)


@stores.command()
@store_argument
@click.argument("query")
@click.option("--limit", type=click.IntRange(1, 50), help="Hits at most.")
@object_option("--filters", help="OpenAI's filters, as JSON.")
@url_option
@json_option
def search(store: str, query: str, limit: int | None, filters: JsonObject | None, url: str, as_json: bool) -> None:
    """What a question finds in a vector store."""
    body = given({"query": query, "max_num_results": limit, "filters": filters})
    with service(url) as client:
        found = _search(client, store, body)
    if as_json:
        print_json(found)
        return
    rows = ((n, f"{hit['score']:.3f}", hit["filename"], _text(hit)) for n, hit in enumerate(found["data"], start=1))
    print_table(("", "score", "file", "text"), rows)


def _search(client: httpx.Client, store: str, body: JsonObject) -> JsonObject:
    return call(client, "POST", route("vector_stores", store, "search"), body)


def _text(hit: JsonObject) -> str:
    return shortened(" ".join(str(part.get("text", "")) for part in hit.get("content") or []), 120)
