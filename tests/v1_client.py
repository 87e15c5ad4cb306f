"""The `/v1` application behind OpenAI's own client, without a socket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
from starlette.types import ASGIApp

from rag.http.v1.app import documents_app
from rag.http.v1.parts import Lookup, V1Parts
from rag.types import Hit
from tests.fakes_library import FakeLibrary

MAX_FILE_BYTES = 2**20


@dataclass
class V1:
    """An application, what is behind it, and two clients of it."""

    library: Any
    """A `FakeLibrary`, or the real one."""
    incoming: Path
    hits: Sequence[Hit] = ()
    lookups: list[Lookup] = field(default_factory=list)

    async def search(self, lookup: Lookup) -> Sequence[Hit]:
        self.lookups.append(lookup)
        return self.hits

    @property
    def app(self) -> ASGIApp:
        return documents_app(V1Parts(lambda: self.library, self.search, self.incoming, MAX_FILE_BYTES))

    @contextlib.asynccontextmanager
    async def openai(self) -> AsyncIterator[openai.AsyncOpenAI]:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app))
        async with openai.AsyncOpenAI(
            base_url="http://rag.test", api_key="x", http_client=http, max_retries=0
        ) as client:
            yield client

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://rag.test")


def v1(folder: Path, *, manual: bool = False) -> V1:
    return V1(FakeLibrary(folder / "files", manual=manual), folder / "incoming")


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and param, of our one shape."""
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "retryable", "request_id"}
    assert response.headers["x-rag-error"] == error["code"]
    if error["param"] is not None and response.status_code == 400:
        assert error["message"]
    return response.status_code, error["code"], error["param"]
