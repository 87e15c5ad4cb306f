"""The service's routes, called on behalf of the sender of an MCP request."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from rag.auth.caller import Caller
from rag.errors import InternalError, RagError
from rag.http.error_table import error_from_body
from rag.http.streaming.sse import EventParser
from rag.types import JsonObject

_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class CallerService:
    """All methods raise the `RagError` with which the service refuses the request."""

    http: httpx.AsyncClient
    caller: Caller
    url: str
    """The address at which the client reaches the service."""

    async def get(self, path: str, **query: str | int | None) -> JsonObject:
        """Parameters that are None are left out."""
        params = {name: value for name, value in query.items() if value is not None}
        return _json_object(await self.http.get(path, params=params))

    async def post(self, path: str, body: Mapping[str, object]) -> JsonObject:
        return _json_object(await self.http.post(path, content=_encoded(body), headers=_JSON))

    async def upload(self, filename: str, content: bytes, fields: Mapping[str, str]) -> JsonObject:
        return _json_object(await self.http.post("/ingest", files={"files": (filename, content)}, data=fields))

    async def events(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[tuple[str, JsonObject]]:
        """Yields the name and data of each event. Closing the iterator disconnects."""
        parser = EventParser()
        async with self.http.stream("POST", path, content=_encoded(body), headers=_JSON) as response:
            if not response.is_success:
                await response.aread()
                raise _error(response)
            async for chunk in response.aiter_bytes():
                for name, data in parser.feed(chunk):
                    yield name, json.loads(data)


def _encoded(body: Mapping[str, object]) -> bytes:
    """As ASCII, so that text which is not valid Unicode is refused by the route rather than here."""
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode("ascii")


def _json_object(response: httpx.Response) -> JsonObject:
    if not response.is_success:
        raise _error(response)
    body: dict[str, Any] = response.json()
    return body


def _error(response: httpx.Response) -> RagError:
    try:
        error = error_from_body(response.json())
    except ValueError:
        error = None
    return error or InternalError(f"the service answered with status {response.status_code}")
