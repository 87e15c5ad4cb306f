"""The HTTP client with which one service of this bundle calls another.

It replaces BentoML's own client, which closes sessions while streams are open (docs/bentoml_issues.md#b1), cuts
streams off at a total deadline (docs/bentoml_issues.md#b2), splits them into blocks (docs/bentoml_issues.md#b4) and
hides the other service's errors.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import aiohttp
from yarl import URL

from rag.auth.caller import caller_to_header, queueing_caller
from rag.errors import DeadlineExceeded, DependencyUnavailable, Overloaded, RagError
from rag.http.auth.admission import CALLER_HEADER
from rag.http.error_table import error_for_status, error_from_body
from rag.http.headers.inner_headers import USED_TOKENS
from rag.http.headers.used_tokens import AddTokens, ignore_tokens
from rag.http.middleware.lifecycle import LEASE_PATH
from rag.http.middleware.request_id import HEADER, current_request_id
from rag.telemetry.tracing import trace_headers
from rag.types import Facts, JsonMapping, JsonObject

_CONNECT_S = 5.0
_IDLE_S = 3.0
"""Idle connections are closed before uvicorn closes them (after 5 s), so that none is closed during a request."""


class LinkedSocket:
    """A hard link to a Unix socket, which remains when the original is deleted.

    When BentoML's supervisor stops, it first deletes the folder of the sockets (docs/bentoml_issues.md#b6), although
    running requests still need them. The services themselves keep listening until they end.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder: str | None = None
        with contextlib.suppress(OSError):  # the socket does not exist yet, or is on another file system
            self._folder = tempfile.mkdtemp(prefix="rag-uds-", dir=Path(path).parents[1])
            os.link(path, link := os.path.join(self._folder, "s"))
            self.path = link

    def unlink(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class ServiceClient:
    """The client of one service. Safe for concurrent use within one event loop.

    Args:
        name: The service's name in error messages.
        url: `file://` for a Unix socket, `tcp://` or `http(s)://` otherwise.
        headers: Sent with every call; BentoCloud routes by them.
        add_tokens: Called with the tokens that a response reports.
    """

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        add_tokens: AddTokens = ignore_tokens,
    ) -> None:
        self.name = name
        self.is_local = url.startswith(("file:", "tcp:"))
        """Whether this is one process of the same `bentoml serve`."""
        self._url = url
        self._socket = LinkedSocket(unquote(urlparse(url).path)) if url.startswith("file:") else None
        self._headers = dict(headers or {})
        self._add_tokens = add_tokens
        self._session: aiohttp.ClientSession | None = None

    async def call(self, path: str, body: JsonMapping, *, timeout_s: float) -> Any:
        """The JSON response to a POST.

        Raises:
            RagError: the error that the service responded with, DependencyUnavailable, or DeadlineExceeded.
        """
        async with self._post(path, timeout_s=timeout_s, json=body) as response:
            return await response.json()

    @contextlib.asynccontextmanager
    async def stream(self, path: str, body: JsonMapping) -> AsyncIterator[AsyncIterator[bytes]]:
        """The response body of a POST, as its bytes arrive, without a deadline.

        Entering returns when the response headers have arrived. Entering and reading raise as `call` does. Exiting
        closes the connection if the body was not read to its end.
        """
        async with contextlib.AsyncExitStack() as stack:
            # An exception in the caller's `async with` block is raised at the `yield`. It must not be translated as an
            # error of the service.
            with self._errors_translated(None):
                response = await stack.enter_async_context(self._send("POST", path, timeout_s=None, json=body))
                await self._check_status(response)
            yield await stack.enter_async_context(contextlib.aclosing(self._chunks(response)))

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        with self._errors_translated(None):
            async for chunk in response.content.iter_any():
                yield chunk

    @contextlib.asynccontextmanager
    async def forward(
        self, method: str, path: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, whatever its status, once its headers have arrived. Only connecting has a deadline.

        Args:
            path: Path and query string as received; they are sent without further quoting.
            body: Sent as it arrives, with chunked encoding unless `headers` has its length.

        Raises:
            DependencyUnavailable: the service does not respond, or the connection was lost.
        """
        options: Any = {"data": body, "allow_redirects": False, "skip_auto_headers": ("content-type",)}
        plain = {**headers, "accept-encoding": "identity"}  # aiohttp would decompress the response
        try:
            async with self._request(
                method, URL(path, encoded=True), timeout_s=None, headers=plain, any_status=True, **options
            ) as response:
                yield response
        except DeadlineExceeded as error:  # of the connection
            raise DependencyUnavailable(error.message) from None

    async def ready(self, timeout_s: float = 2.0) -> Facts:
        """What `/readyz` reports. Raises as `call` does if the service is not ready."""
        async with self._request("GET", "/readyz", timeout_s=timeout_s) as response:
            facts: Facts = await response.json()
            return facts

    async def metrics(self, timeout_s: float) -> str:
        """The text of `/metrics`. Raises as `call` does."""
        async with self._request("GET", "/metrics", timeout_s=timeout_s) as response:
            return await response.text()

    async def hold(self) -> None:
        """Keep a draining service alive until this call is cancelled."""
        with contextlib.suppress(RagError):
            async with self._post(LEASE_PATH, timeout_s=None, json={}) as response:
                await response.read()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self._socket is not None:
            self._socket.unlink()

    def _post(self, path: str, *, timeout_s: float | None, **options: Any) -> Any:
        return self._request("POST", path, timeout_s=timeout_s, **options)

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str | URL,
        *,
        timeout_s: float | None,
        headers: Mapping[str, str] | None = None,
        any_status: bool = False,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with self._errors_translated(timeout_s):
            async with self._send(method, path, timeout_s=timeout_s, headers=headers, **options) as response:
                await self._add_tokens(int(response.headers.get(USED_TOKENS, 0)))
                if not any_status:
                    await self._check_status(response)
                yield response

    def _send(
        self,
        method: str,
        path: str | URL,
        *,
        timeout_s: float | None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
        own = {HEADER: current_request_id.get()} if current_request_id.get() else {}
        own[CALLER_HEADER] = caller_to_header(queueing_caller())
        options |= {"timeout": timeout, "headers": {**(headers or {}), **own, **trace_headers()}}
        return self._open().request(method, path, **options)

    async def _check_status(self, response: aiohttp.ClientResponse) -> None:
        if response.status >= 400:
            raise await _error_of(response, self.name)

    @contextlib.contextmanager
    def _errors_translated(self, timeout_s: float | None) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise DeadlineExceeded(f"{self.name} did not answer within {timeout_s or _CONNECT_S:g} s") from None
        except aiohttp.ClientError as error:
            raise DependencyUnavailable(f"{self.name} does not answer ({type(error).__name__})") from error
        except ValueError as error:
            raise DependencyUnavailable(f"{self.name} did not answer with valid JSON") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            common: JsonObject = {"limit": 0, "keepalive_timeout": _IDLE_S}
            if self._socket is not None:
                connector: aiohttp.BaseConnector = aiohttp.UnixConnector(path=self._socket.path, **common)
                base_url = "http://localhost"
            else:
                connector = aiohttp.TCPConnector(**common)
                base_url = self._url.replace("tcp://", "http://", 1)
            self._session = aiohttp.ClientSession(
                base_url, connector=connector, headers=self._headers, read_bufsize=2**18, trust_env=False
            )
        return self._session


async def _error_of(response: aiohttp.ClientResponse, name: str) -> RagError:
    with contextlib.suppress(ValueError, aiohttp.ContentTypeError):
        if (error := error_from_body(await response.json())) is not None:
            if isinstance(error, Overloaded) and (wait_s := response.headers.get("retry-after", "")).isdigit():
                error.retry_after_s = int(wait_s)
            return error
    if response.status in (429, 500, 502, 503, 504):
        return error_for_status(response.status, response.url.path)
    return DependencyUnavailable(
        f"{name} answered with status {response.status}: check that the URL is that of a service of this bundle"
    )
