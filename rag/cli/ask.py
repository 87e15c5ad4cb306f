"""`ask`, `retrieve`, `status`: questions to the service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click
import httpx

from rag.cli.output import fail, print_json, print_table, say, shortened
from rag.cli.service import call, check, given, json_option, service, store_option, url_option
from rag.http.streaming.sse import EventParser
from rag.types import JsonObject
from rag.upload import error_message


@click.command()
@click.argument("question")
@url_option
@store_option
@click.option("--top-k", type=click.IntRange(1, 100), help="Passages given to the language model.")
@click.option("--max-tokens", type=click.IntRange(1), help="Tokens of the answer at most.")
@json_option
def ask(question: str, url: str, store: str, top_k: int | None, max_tokens: int | None, as_json: bool) -> None:
    """Ask a question; the answer streams, its sources follow."""
    body = given({"question": question, "vector_store": store, "top_k": top_k, "max_tokens": max_tokens})
    show = _print_event if as_json else _show_event
    seen: dict[str, JsonObject] = {}
    with service(url) as client, client.stream("POST", "/ask", json=body) as response:
        check(response)
        for name, data in _events(response):
            show(name, data)
            seen[name] = data
    if "error" in seen:
        fail(f"\n{seen['error'].get('message', 'the answer failed')}")
    if "done" not in seen:
        fail("\nthe connection was lost before the answer ended")
    if not as_json:
        _show_sources(seen.get("sources", {}).get("sources", []))


def _events(response: httpx.Response) -> Iterator[tuple[str, JsonObject]]:
    parser = EventParser()
    for chunk in response.iter_bytes():
        for name, data in parser.feed(chunk):
            yield name, json.loads(data)


def _print_event(name: str, data: JsonObject) -> None:
    print_json({"event": name, "data": data})


def _show_event(name: str, data: JsonObject) -> None:
    if name == "token":
        click.echo(data["text"], nl=False)
        sys.stdout.flush()


def _show_sources(sources: list[JsonObject]) -> None:
    say("")
    if not sources:
        say("\nNo sources.")
        return
    say("\nSources")
    for source in sources:
        page = f", page {source['page']}" if source.get("page") else ""
        heading = f" > {source['heading']}" if source.get("heading") else ""
        say(f"  [{source['index']}] {source['filename']}{heading}{page} ({source['score']:.2f})")


@click.command()
@click.argument("query")
@url_option
@store_option
@click.option("--top-k", type=click.IntRange(1, 100), help="Hits at most.")
@json_option
def retrieve(query: str, url: str, store: str, top_k: int | None, as_json: bool) -> None:
    """Show what a question finds."""
    body = given({"query": query, "vector_store": store, "top_k": top_k})
    with service(url) as client:
        found = call(client, "POST", "/retrieve", body)
    if as_json:
        print_json(found)
        return
    rows = (
        (number, f"{hit['score']:.3f}", hit["filename"], hit.get("heading"), shortened(hit["text"], 120))
        for number, hit in enumerate(found["hits"], start=1)
    )
    print_table(("", "score", "file", "heading", "text"), rows)


@click.command()
@url_option
@json_option
def status(url: str, as_json: bool) -> None:
    """Is the service ready?"""
    with service(url) as client:
        response = client.get("/readyz")
    reason = "" if response.is_success else error_message(response)
    if as_json:
        print_json({"ready": response.is_success, "url": url, "reason": reason or None})
        sys.exit(0 if response.is_success else 1)
    if not response.is_success:
        fail(f"not ready: {reason}")
    say(f"ready: {url}")
