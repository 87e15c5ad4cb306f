"""The service as the commands see it: options that say where it is, requests, pages of lists."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx

from rag.cli.output import fail
from rag.types import JsonObject
from rag.upload import Rejected, error_message, with_retries

DEFAULT_URL = "http://localhost:3000"
CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 60.0
"""A live stream says something every 15 s at least."""
PAGE = 100
STRATEGIES = {
    "recursive": "recursive",
    "tokens": "static",
    "sentences": "sentences",
    "structure": "structure",
    "parent_child": "parent_child",
}
"""Names on the command line, and on the wire."""

_dots = {".": "%2E", "..": "%2E%2E"}
"""Else httpx would take them for steps up the path."""

url_option = click.option(
    "--url", envvar="RAG_URL", default=DEFAULT_URL, show_default=True, help="Where the service is."
)
store_option = click.option("--store", default="default", show_default=True, help="Vector store: its name or id.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
limit_option = click.option("--limit", type=click.IntRange(1), help="So many at most; all unless given.")
no_wait_option = click.option("--no-wait", is_flag=True, help="Print the ids of the jobs, and leave.")
chunking_option = click.option(
    "--chunking",
    metavar="NAME|JSON",
    callback=lambda _context, _option, value: None if value is None else chunking_strategy(value),
    help=f"How texts are cut: {', '.join(STRATEGIES)}, or a chunking_strategy as JSON.",
)


def object_option(*names: str, help: str) -> Callable[..., Any]:
    """An option whose value is a JSON object."""
    return click.option(*names, metavar="JSON", callback=_parsed_object, help=help)


def _parsed_object(_context: click.Context, option: click.Parameter, value: str | None) -> JsonObject | None:
    return None if value is None else json_object(value, option.get_error_hint(_context))


def json_object(value: str, hint: str) -> JsonObject:
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise click.BadParameter("must be a JSON object", param_hint=hint)
    return parsed


def chunking_strategy(value: str) -> JsonObject:
    if value in STRATEGIES:
        return {"type": STRATEGIES[value]}
    if not value.lstrip().startswith("{"):
        raise click.BadParameter(f"is one of {', '.join(STRATEGIES)}, or a JSON object", param_hint="--chunking")
    return json_object(value, "--chunking")


# --- requests --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CliContext:
    """What lies outside of the program. Tests give another one as click's `obj`."""

    transport: httpx.BaseTransport | None = None
    pause: Callable[[float], object] | None = None
    """In place of sleeping."""
    wakeups: Callable[[Sequence[Path]], Iterable[object]] | None = None
    """In place of watching folders: each item says that something in them may have changed."""

    def sleep(self, seconds: float) -> None:
        (self.pause or time.sleep)(seconds)


def world() -> CliContext:
    return click.get_current_context().find_object(CliContext) or CliContext()


@contextmanager
def service(url: str, timeout_s: float = SILENCE_TIMEOUT_S) -> Iterator[httpx.Client]:
    """A client of the service; what goes wrong on the way becomes a message and exit code 1."""
    timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    try:
        with httpx.Client(base_url=url, timeout=timeout, transport=world().transport) as client:
            yield client
    except Rejected as error:
        fail(str(error))
    except httpx.ConnectError:
        fail(f"no service answers at {url}: start it with `make serve`, or give --url (RAG_URL)")
    except httpx.TimeoutException:
        fail(f"the service at {url} did not answer in time")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        fail(f"that is no URL: {url}")
    except httpx.TransportError as error:
        fail(f"the connection to {url} was lost: {type(error).__name__}")


def check(response: httpx.Response) -> None:
    """Raises Rejected unless it went well; `service` ends the program with it."""
    if not response.is_success:
        response.read()
        raise Rejected(error_message(response))


def call(client: httpx.Client, method: str, path: str, body: object = None, tries: int = 1, **query: Any) -> JsonObject:
    """The JSON object that the service answers; a query's None is left out.

    Args:
        tries: Of these all but the last pass over a lost connection and a busy service.
    """
    params = {name: value for name, value in query.items() if value is not None}
    sent = {"params": params} if body is None else {"params": params, "json": body}
    response = with_retries(lambda: client.request(method, path, **sent), world().sleep, tries=tries)
    check(response)
    return answered(response)


def answered(response: httpx.Response) -> JsonObject:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Rejected(f"{response.url} does not answer as this service does; is the address right?")
    return body


def pages(
    client: httpx.Client, path: str, limit: int | None = None, tries: int = 1, **query: Any
) -> Iterator[JsonObject]:
    """The rows of a list, page after page; `limit` of them at most."""
    after = None
    left = limit
    while left is None or left > 0:
        wanted = PAGE if left is None else min(PAGE, left)
        page = call(client, "GET", path, tries=tries, limit=wanted, after=after, **query)
        rows: list[JsonObject] = page.get("data") or []
        yield from rows if left is None else rows[:left]
        left = None if left is None else left - len(rows)
        following = page.get("last_id") or (rows[-1].get("id") if rows else None)
        if not page.get("has_more") or not rows or following == after:
            return
        after = following


def route(*parts: str) -> str:
    """A path below `/v1`, whatever characters ids and names have. Raises Rejected for an empty one."""
    if not all(parts):
        raise Rejected("an id or a name is empty")
    return "/v1/" + "/".join(_dots.get(part) or quote(part, safe="") for part in parts)


def given(values: Mapping[str, Any]) -> JsonObject:
    """What the caller said: without the None."""
    return {name: value for name, value in values.items() if value is not None}
