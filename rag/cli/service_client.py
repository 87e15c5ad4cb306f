"""The HTTP client of the service for all commands: connections, requests, paginated lists."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import httpx

from rag.cli.options import without_none
from rag.cli.output import fail
from rag.http.path_segment import path_segment
from rag.types import JsonObject
from rag.upload import ServiceError, error_message, json_object_of, with_retries

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
"""A healthy stream sends something at least every 15 s."""
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class CliContext:
    """Replacements for the network, the clock and the file system. Tests pass one as click's `obj`."""

    transport: httpx.BaseTransport | None = None
    sleep_with: Callable[[float], object] | None = None
    """Used instead of `time.sleep`."""
    watch_with: Callable[[Sequence[Path]], Iterable[object]] | None = None
    """Used instead of watching folders; yields whenever something in them may have changed."""

    def sleep(self, seconds: float) -> None:
        (self.sleep_with or time.sleep)(seconds)


def cli_context() -> CliContext:
    return click.get_current_context().find_object(CliContext) or CliContext()


@contextmanager
def connect(url: str, timeout_s: float = READ_TIMEOUT_S) -> Iterator[httpx.Client]:
    """A client of the service. Failed requests in its block end the program with a message and exit code 1."""
    timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
    try:
        with httpx.Client(
            base_url=url, timeout=timeout, transport=cli_context().transport, headers=authorization()
        ) as client:
            yield client
    except ServiceError as error:
        fail(str(error))
    except httpx.ConnectError:
        fail(f"cannot connect to {url}: start the service with `make serve`, or set --url (RAG_URL)")
    except httpx.TimeoutException:
        fail(f"timeout: the service at {url} did not respond in time")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        fail(f"invalid URL: {url}")
    except httpx.TransportError as error:
        fail(f"lost the connection to {url}: {type(error).__name__}")


def authorization() -> dict[str, str]:
    """The header with the API key in RAG_API_KEY, if there is one. It is no option: other users see command lines."""
    key = os.environ.get("RAG_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        fail("RAG_API_KEY: must be printable ASCII")
    return {"authorization": f"Bearer {key}"} if key else {}


def raise_for_error(response: httpx.Response) -> None:
    """Raises ServiceError with the service's message unless the request succeeded."""
    if not response.is_success:
        response.read()
        raise ServiceError(error_message(response))


def request_json(
    client: httpx.Client,
    method: str,
    path: str,
    body: JsonObject | None = None,
    attempts: int = 1,
    query: Mapping[str, str | int | None] | None = None,
) -> JsonObject:
    """The JSON object in the response.

    Args:
        attempts: More than one to retry after a lost connection, or while the service is busy.
        query: Parameters that are None are left out.
    """
    params = without_none(query or {})

    def send() -> httpx.Response:
        return client.request(method, path, params=params, json=body)

    response = with_retries(send, cli_context().sleep, attempts=attempts)
    raise_for_error(response)
    return json_object_of(response)


def list_rows(
    client: httpx.Client, path: str, limit: int | None = None, attempts: int = 1, **query: str | int | None
) -> Iterator[JsonObject]:
    """The rows of a paginated list, at most `limit`; each page is requested when its first row is needed."""
    after: str | None = None
    remaining = limit
    while remaining is None or remaining > 0:
        page_size = PAGE_SIZE if remaining is None else min(PAGE_SIZE, remaining)
        page_query = {**query, "limit": page_size, "after": after}
        page = request_json(client, "GET", path, attempts=attempts, query=page_query)
        rows: list[JsonObject] = page.get("data") or []
        yield from rows if remaining is None else rows[:remaining]
        remaining = None if remaining is None else remaining - len(rows)
        last_id = page.get("last_id") or (rows[-1].get("id") if rows else None)
        if not page.get("has_more") or not rows or last_id == after:
            return
        after = last_id


def api_path(*parts: str) -> str:
    """A path below `/v1`; ids and names may contain any character. Raises ServiceError if one is empty."""
    if not all(parts):
        raise ServiceError("an id or a name is empty")
    return "/v1/" + "/".join(map(path_segment, parts))
