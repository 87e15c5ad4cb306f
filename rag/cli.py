"""`python -m rag ...`: prepare the models, feed documents, ask. Starts fast: the heavy work is the service's.

Exit codes: 0 it worked, 1 it did not (the reason is on stderr), 2 the command line is wrong.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rag.errors import SetupError
from rag.http.sse import EventParser
from rag.types import JsonObject
from rag.upload import Outcome, Refusal, Selection, Target, error_message, select, send_all

DEFAULT_URL = "http://localhost:3000"
CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 60.0
"""A live stream says something every 15 s at least."""
INGEST_TIMEOUT_S = 1800.0
MAX_LISTED_REFUSALS = 20

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

url_option = click.option(
    "--url", envvar="RAG_URL", default=DEFAULT_URL, show_default=True, help="Where the service is."
)
store_option = click.option("--store", default="default", show_default=True, help="Vector store.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Retrieval-augmented answers from your own documents."""


# --- prepare ---------------------------------------------------------------------------------


@main.command()
@click.option(
    "--only", type=click.Choice(["llm", "encoder", "tokenizer"]), help="One part: what one service alone needs."
)
@click.option("--quiet", is_flag=True, help="Say nothing unless it fails.")
def prepare(only: str | None, quiet: bool) -> None:
    """Put the models in place, so that the service starts without a wait."""
    from rag import config
    from rag.adapters import model_files

    out.quiet = quiet
    try:
        settings = config.load()
        language_model = settings.llm.model or "SmolLM2-135M-Instruct (embedded)"
        if only == "tokenizer":
            _step(f"tokenizer of {language_model}", lambda: model_files.tokenizer_folder(settings))
        if only == "llm" or (only is None and settings.llm.url is None):
            _step(f"language model {language_model}", lambda: model_files.llm_folder(settings))
        if only == "encoder" or (only is None and settings.embedder.url is None):
            name = settings.embedder.model or "all-MiniLM-L6-v2 (embedded)"
            _step(f"encoder {name}", lambda: model_files.embedder_folder(settings))
    except SetupError as error:
        _fail(error.message)


def _step(what: str, work: Callable[[], str]) -> None:
    started = time.monotonic()
    with out.status(f"Preparing {what} ..."):
        folder = work()
    out.print(f"Ready: {what} in {folder} ({time.monotonic() - started:.1f} s)", markup=False)


# --- ingest ----------------------------------------------------------------------------------


@main.command()
@click.argument("paths", nargs=-1, required=True)
@url_option
@store_option
@click.option("--attributes", help='JSON object kept with every file, such as \'{"lang": "en"}\'.')
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave these out: names below the folder, or file names."
)
@json_option
def ingest(
    paths: tuple[str, ...], url: str, store: str, attributes: str | None, exclude: tuple[str, ...], as_json: bool
) -> None:
    """Feed documents: folders (with all below), globs, files.

    A file's name is its path below the folder given; feeding that name again replaces the document.
    """
    fields = _ingest_fields(store, attributes)
    selection = select(paths, exclude)
    if selection.missing:
        _fail(f"nothing there: {', '.join(selection.missing)}")
    started = time.monotonic()
    whole = Outcome()
    with _service(url, INGEST_TIMEOUT_S) as client, _progress(len(selection.uploads), as_json) as advance:
        for outcome in send_all(Target(client, fields), selection.uploads):
            whole.files += outcome.files
            whole.refusals += outcome.refusals
            advance(len(outcome.files) + len(outcome.refusals), _chunks(whole.files))
    _report_ingest(whole, selection, time.monotonic() - started, as_json)
    sys.exit(1 if whole.refusals else 0)


def _ingest_fields(store: str, attributes: str | None) -> dict[str, str]:
    fields = {"vector_store": store, "wait_s": f"{INGEST_TIMEOUT_S:.0f}"}
    if attributes is not None:
        try:
            valid = isinstance(json.loads(attributes), dict)
        except ValueError:
            valid = False
        if not valid:
            raise click.BadParameter("must be a JSON object", param_hint="--attributes")
        fields["attributes"] = attributes
    return fields


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[chunks]:,} chunks"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal) as bar:
        task = bar.add_task("ingest", total=total, chunks=0)
        yield lambda files, chunks: bar.update(task, advance=files, chunks=chunks)


def _chunks(files: list[JsonObject]) -> int:
    return sum(int(file.get("chunks") or 0) for file in files)


def _report_ingest(whole: Outcome, selection: Selection, seconds: float, as_json: bool) -> None:
    changes = Counter(str(file.get("change") or file.get("status")) for file in whole.files)
    if as_json:
        refused = [{"filename": refusal.name, "message": refusal.message} for refusal in whole.refusals]
        _print_json(
            {"files": whole.files, "refused": refused, "skipped": selection.skipped, "seconds": round(seconds, 3)}
        )
        return
    _list_refusals(whole.refusals)
    if selection.skipped:
        out.print(f"{selection.skipped:,} files skipped: only Markdown, plain text and HTML are read")
    known = [f"{changes.pop(change, 0):,} {change}" for change in ("added", "replaced", "unchanged")]
    others = [f"{count:,} {change}" for change, count in sorted(changes.items())]
    failed = [f"{len(whole.refusals):,} failed"] if whole.refusals else []
    counts = ", ".join([*known, *others, *failed])
    out.print(f"{len(selection.uploads):,} files: {counts}, {_chunks(whole.files):,} chunks in {seconds:.0f} s")


def _list_refusals(refusals: list[Refusal]) -> None:
    for refusal in refusals[:MAX_LISTED_REFUSALS]:
        err.print(f"failed: {refusal.name}: {refusal.message}", markup=False)
    if len(refusals) > MAX_LISTED_REFUSALS:
        err.print(f"... and {len(refusals) - MAX_LISTED_REFUSALS:,} more")


# --- ask -------------------------------------------------------------------------------------


@main.command()
@click.argument("question")
@url_option
@store_option
@click.option("--top-k", type=click.IntRange(1, 100), help="Passages given to the language model.")
@click.option("--max-tokens", type=click.IntRange(1), help="Tokens of the answer at most.")
@json_option
def ask(question: str, url: str, store: str, top_k: int | None, max_tokens: int | None, as_json: bool) -> None:
    """Ask a question; the answer streams, its sources follow."""
    body: dict[str, Any] = {"question": question, "vector_store": store, "top_k": top_k, "max_tokens": max_tokens}
    body = {name: value for name, value in body.items() if value is not None}
    show = _print_event if as_json else _show_event
    seen: dict[str, JsonObject] = {}
    with _service(url, SILENCE_TIMEOUT_S) as client, client.stream("POST", "/ask", json=body) as response:
        _check(response)
        for name, data in _events(response):
            show(name, data)
            seen[name] = data
    if "error" in seen:
        _fail(f"\n{seen['error'].get('message', 'the answer failed')}")
    if "done" not in seen:
        _fail("\nthe connection was lost before the answer ended")
    if not as_json:
        _show_sources(seen.get("sources", {}).get("sources", []))


def _events(response: httpx.Response) -> Iterator[tuple[str, JsonObject]]:
    parser = EventParser()
    for chunk in response.iter_bytes():
        for name, data in parser.feed(chunk):
            yield name, json.loads(data)


def _print_event(name: str, data: JsonObject) -> None:
    _print_json({"event": name, "data": data})


def _show_event(name: str, data: JsonObject) -> None:
    if name == "token":
        click.echo(data["text"], nl=False)
        sys.stdout.flush()


def _show_sources(sources: list[JsonObject]) -> None:
    out.print()
    if not sources:
        out.print("\nNo sources.")
        return
    out.print("\nSources")
    for source in sources:
        heading = f" > {source['heading']}" if source.get("heading") else ""
        out.print(f"  [{source['index']}] {source['filename']}{heading} ({source['score']:.2f})", markup=False)


# --- retrieve, status ------------------------------------------------------------------------


@main.command()
@click.argument("query")
@url_option
@store_option
@click.option("--top-k", type=click.IntRange(1, 100), help="Hits at most.")
@json_option
def retrieve(query: str, url: str, store: str, top_k: int | None, as_json: bool) -> None:
    """Show what a question finds."""
    body = {"query": query, "vector_store": store, **({"top_k": top_k} if top_k else {})}
    with _service(url, SILENCE_TIMEOUT_S) as client:
        response = client.post("/retrieve", json=body)
        _check(response)
    if as_json:
        _print_json(response.json())
    else:
        out.print(_hit_table(response.json()["hits"]))


def _hit_table(hits: list[JsonObject]) -> Table:
    table = Table("", "score", "file", "heading", "text", box=None, pad_edge=False)
    for number, hit in enumerate(hits, start=1):
        text = " ".join(str(hit["text"]).split())[:120]
        cells = (hit["filename"], hit.get("heading") or "", text)
        table.add_row(str(number), f"{hit['score']:.3f}", *(_plain(cell) for cell in cells))
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@main.command()
@url_option
def status(url: str) -> None:
    """Is the service ready?"""
    with _service(url, SILENCE_TIMEOUT_S) as client:
        response = client.get("/readyz")
    if not response.is_success:
        _fail(f"not ready: {error_message(response)}")
    out.print(f"ready: {url}", markup=False)


# --- what the commands share -----------------------------------------------------------------


@contextmanager
def _service(url: str, timeout_s: float) -> Iterator[httpx.Client]:
    """A client of the service; what goes wrong on the way becomes a message and exit code 1."""
    timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    try:
        with httpx.Client(base_url=url, timeout=timeout) as client:
            yield client
    except httpx.ConnectError:
        _fail(f"no service answers at {url}: start it with `make serve`, or give --url (RAG_URL)")
    except httpx.TimeoutException:
        _fail(f"the service at {url} did not answer in time")
    except httpx.TransportError as error:
        _fail(f"the connection to {url} was lost: {type(error).__name__}")
    except httpx.InvalidURL:
        _fail(f"that is no URL: {url}")


def _check(response: httpx.Response) -> None:
    if not response.is_success:
        response.read()
        _fail(error_message(response))


def _print_json(value: JsonObject) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _fail(message: str) -> NoReturn:
    err.print(message, markup=False)
    sys.exit(1)
