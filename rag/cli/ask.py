"""`ask`, `retrieve` and `status`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click
import httpx

from rag.cli.options import json_option, store_option, top_k_type, url_option, without_none
from rag.cli.output import fail, print_json, print_line, print_table, truncate
from rag.cli.service_client import connect, raise_for_error, request_json
from rag.http.streaming.sse import EventParser
from rag.types import JsonObject
from rag.upload import error_message

_QUOTE_CHARS = 200


@click.command()
@click.argument("question")
@url_option
@store_option
@click.option("--top-k", type=top_k_type, help="Number of passages given to the language model.")
@click.option("--max-tokens", type=click.IntRange(1), help="Maximum number of tokens in the answer.")
@click.option("--style", type=click.Choice(["auto", "written", "quoted"]), help="Default: the service's setting.")
@click.option("--thinking", is_flag=True, help="Also show what the language model thinks before it answers.")
@json_option
def ask(
    question: str,
    url: str,
    store: str,
    top_k: int | None,
    max_tokens: int | None,
    style: str | None,
    thinking: bool,
    as_json: bool,
) -> None:
    """Ask a question: the answer streams, followed by its sources and what is cited from them."""
    options = {"vector_store": store, "top_k": top_k, "max_tokens": max_tokens, "style": style}
    body = without_none({"question": question, **options})
    printer = _TextPrinter(shows_thinking=thinking)
    print_event = _print_event_json if as_json else printer.print
    events: dict[str, JsonObject] = {}
    answer = ""
    with connect(url) as client, client.stream("POST", "/ask", json=body) as response:
        raise_for_error(response)
        for name, data in _events(response):
            print_event(name, data)
            events[name] = data
            answer += data["text"] if name == "token" else ""
    if "error" in events:
        fail(f"\n{events['error'].get('message', 'the answer failed')}")
    if "done" not in events:
        fail("\nthe connection was lost before the answer ended")
    if not as_json:
        done = events["done"]
        _print_sources(events.get("sources", {}).get("sources", []), done.get("citations", []), answer)
        if note := done.get("note"):
            print_line(f"\nNote: {note}")


def _events(response: httpx.Response) -> Iterator[tuple[str, JsonObject]]:
    parser = EventParser()
    for chunk in response.iter_bytes():
        for name, data in parser.feed(chunk):
            yield name, json.loads(data)


def _print_event_json(name: str, data: JsonObject) -> None:
    print_json({"event": name, "data": data})


class _TextPrinter:
    """Prints the text of an answer as it arrives."""

    def __init__(self, *, shows_thinking: bool) -> None:
        self._shows_thinking = shows_thinking
        self._thinks = False

    def print(self, name: str, data: JsonObject) -> None:
        if name == "thinking" and self._shows_thinking:
            self._echo(data["text"] if self._thinks else f"Thinking:\n{data['text']}")
            self._thinks = True
        elif name == "token":
            self._echo(f"\n\nAnswer:\n{data['text']}" if self._thinks else data["text"])
            self._thinks = False

    def _echo(self, text: str) -> None:
        click.echo(text, nl=False)
        sys.stdout.flush()


def _print_sources(sources: list[JsonObject], citations: list[JsonObject], answer: str) -> None:
    """Each source, below it what the answer cites from it: the quotes, or the beginning of the passage."""
    print_line("")
    if not sources:
        print_line("\nNo sources.")
        return
    print_line("\nSources")
    for source in sources:
        print_line(f"  [{source['index']}] {_place(source)} ({source['score']:.2f})")
        cited = [citation for citation in citations if citation["index"] == source["index"]]
        quotes = [citation["quote"] for citation in cited if citation.get("quote")]
        for quote in quotes:
            page = f"page {quote['page']}, " if quote.get("page") else ""
            place = f"{page}characters {quote['source_start']}-{quote['source_end']}"
            print_line(f"      {truncate(answer[quote['start'] : quote['end']], _QUOTE_CHARS)} ({place})")
        if cited and not quotes:
            print_line(f"      {truncate(source['text'], _QUOTE_CHARS)}")


def _place(source: JsonObject) -> str:
    page = f", page {source['page']}" if source.get("page") else ""
    heading = f" > {source['heading']}" if source.get("heading") else ""
    return f"{source['filename']}{heading}{page}"


@click.command()
@click.argument("query")
@url_option
@store_option
@click.option("--top-k", type=top_k_type, help="Maximum number of hits.")
@json_option
def retrieve(query: str, url: str, store: str, top_k: int | None, as_json: bool) -> None:
    """Show the passages that a question retrieves."""
    body = without_none({"query": query, "vector_store": store, "top_k": top_k})
    with connect(url) as client:
        result = request_json(client, "POST", "/retrieve", body)
    if as_json:
        print_json(result)
        return
    rows = (
        (number, f"{hit['score']:.3f}", hit["filename"], hit.get("heading"), truncate(hit["text"], 120))
        for number, hit in enumerate(result["hits"], start=1)
    )
    print_table(("", "score", "file", "heading", "text"), rows)


@click.command()
@url_option
@json_option
def status(url: str, as_json: bool) -> None:
    """Check whether the service is ready."""
    with connect(url) as client:
        response = client.get("/readyz")
    reason = "" if response.is_success else error_message(response)
    if as_json:
        print_json({"ready": response.is_success, "url": url, "reason": reason or None})
        sys.exit(0 if response.is_success else 1)
    if not response.is_success:
        fail(f"not ready: {reason}")
    print_line(f"ready: {url}")
