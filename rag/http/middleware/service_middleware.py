"""The middleware of every service: request ids, readiness (docs/bentoml_issues.md#b19), admission, disconnects."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.auth.caller import WITHOUT_KEY, Caller, current_caller
from rag.errors import FileTooLarge, InternalError, Overloaded, RagError
from rag.http.auth.admission import Admission
from rag.http.error_table import OURS, error_for_status, error_response
from rag.http.middleware.browser_guard import BrowserGuard
from rag.http.middleware.disconnect import run_while_connected
from rag.http.middleware.lifecycle import LEASE_PATH, Lifecycle
from rag.http.middleware.request_id import HEADER, accept_request_id, current_request_id

logger = logging.getLogger("rag.http")
access = logging.getLogger("rag.access")

_METRICS = "/metrics"
_UNGUARDED_PATHS = ("/livez", "/healthz", _METRICS, "/readyz")
_PASSED_THROUGH_HEADERS = ("allow",)
"""Headers that remain when an error response of BentoML is replaced."""


class ServiceMiddleware:
    """ASGI middleware that BentoML creates with the options given to `add_asgi_middleware`.

    Args:
        app: The service.
        lifecycle: The state of this process.
        max_in_flight: Maximum concurrent requests; more get 429 (docs/bentoml_issues.md#b15).
        max_body_bytes: Maximum size of a body by path (docs/bentoml_issues.md#b16). A key that ends in `*`
            applies to all paths with this prefix; the longest match wins, and `"*"` matches every path.
        access_log: Whether each request is logged.
        guard: Of the edge: refuses what a foreign web page sends.
        admission: Authenticates each request, probes excepted; None: every request is served.
    """

    def __init__(
        self,
        app: ASGIApp,
        lifecycle: Lifecycle,
        max_in_flight: int,
        max_body_bytes: dict[str, int],
        access_log: bool = False,
        guard: BrowserGuard | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._app = app
        self._life = lifecycle
        self._max_in_flight = max_in_flight
        self._max_body_bytes = max_body_bytes
        self._access_log = access_log
        self._guard = guard
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = accept_request_id(Headers(scope=scope).get(HEADER))
        token = current_request_id.set(request_id)
        sender = _ResponseSender(send, scope["path"], request_id)
        started = time.perf_counter()
        try:
            await self._serve(scope, receive, sender)
        except Exception:  # the client must get a response (docs/bentoml_issues.md#b10)
            logger.exception("%s %s failed", scope["method"], scope["path"])
            await sender.fail(
                InternalError("an unexpected error occurred; the server's log has the details under this request id")
            )
        finally:
            if self._access_log and scope["path"] not in _UNGUARDED_PATHS:
                took_ms = (time.perf_counter() - started) * 1000
                access.info("%s %s %s %.1f ms", scope["method"], scope["path"], sender.status, took_ms)
            current_request_id.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, sender: _ResponseSender) -> None:
        path = scope["path"]
        if path == "/readyz" and scope["method"] in ("GET", "HEAD"):
            return await self._answer_readyz(scope, receive, sender)
        if path in _UNGUARDED_PATHS:
            needs_key = path == _METRICS and self._life.is_edge
            if needs_key and await self._admitted(scope, sender) is None:
                return None
            return await self._app(scope, receive, sender.send)
        if (refusal := self._refusal(scope)) is not None:
            return await error_response(refusal, sender.request_id)(scope, receive, sender.send)
        receive = self._capped(scope, receive, sender)
        self._life.enter()
        try:
            if (caller := await self._admitted(scope, sender)) is not None:
                with _as_caller(caller):
                    await self._run(scope, receive, sender)
        finally:
            self._life.leave()

    async def _admitted(self, scope: Scope, sender: _ResponseSender) -> Caller | None:
        """Who sent the request; None if it was refused, which the response says."""
        if self._admission is None:
            return WITHOUT_KEY
        try:
            return await self._admission.admit(scope, sender.headers)
        except RagError as error:
            await sender.fail(error)
            return None

    async def _run(self, scope: Scope, receive: Receive, sender: _ResponseSender) -> None:
        if scope["path"] == LEASE_PATH and not self._life.is_edge:
            await _hold(receive)
            await sender.close()
        elif not await run_while_connected(self._app, scope, receive, sender.send):
            await sender.close()

    async def _answer_readyz(self, scope: Scope, receive: Receive, sender: _ResponseSender) -> None:
        response: Response
        try:
            facts = await self._life.ready()
            response = JSONResponse({"status": "ready", "in_flight": self._life.in_flight, **facts})
        except RagError as error:
            response = error_response(error, sender.request_id)
        await response(scope, receive, sender.send)

    def _refusal(self, scope: Scope) -> RagError | None:
        if (refusal := self._life.refusal()) is not None:
            return refusal
        if self._guard is not None and (refusal := self._guard.refusal(scope)) is not None:
            return refusal
        if self._life.in_flight >= self._max_in_flight:
            return Overloaded(f"{self._max_in_flight} requests are already being processed; try again soon")
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > self._body_limit(scope):
            return self._too_large(scope)
        return None

    def _body_limit(self, scope: Scope) -> int:
        path, limits = scope["path"], self._max_body_bytes
        if path in limits:
            return limits[path]
        return limits[max((key for key in limits if key[-1:] == "*" and path.startswith(key[:-1])), key=len)]

    def _too_large(self, scope: Scope) -> FileTooLarge:
        return FileTooLarge(f"the body is larger than {self._body_limit(scope)} bytes, the limit of {scope['path']}")

    def _capped(self, scope: Scope, receive: Receive, sender: _ResponseSender) -> Receive:
        """A `receive` that refuses a body of unknown length as soon as it is too large."""
        left = self._body_limit(scope)

        async def capped() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left >= 0:
                return message
            await sender.fail(self._too_large(scope))
            return {"type": "http.disconnect"}

        return capped


@contextlib.contextmanager
def _as_caller(caller: Caller) -> Iterator[None]:
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)


async def _hold(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _ResponseSender:
    """Sends the response: adds the request id, and replaces error responses that are not this project's."""

    def __init__(self, send: Send, path: str, request_id: str) -> None:
        self._send = send
        self._path = path
        self.request_id = request_id
        self.headers: dict[str, str] = {}
        """Added to the response."""
        self.status = 0
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.status:
                await self._start(message)
        elif not self._is_replaced:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        status = message["status"]
        if status >= 400 and OURS not in headers:
            kept = {name: headers[name] for name in _PASSED_THROUGH_HEADERS if name in headers}
            await self.fail(error_for_status(status, self._path), kept)
            return
        self.status = status
        headers.update({**self.headers, HEADER: self.request_id})
        await self._send({**message, "headers": headers.raw})

    async def fail(self, error: RagError, headers: Mapping[str, str] | None = None) -> None:
        """Respond with `error`, unless a response has started."""
        if self.status:
            return
        self._is_replaced = True
        response = error_response(error, self.request_id)
        response.headers.update({**(headers or {}), **self.headers, HEADER: self.request_id})
        self.status = response.status_code
        await self._send({"type": "http.response.start", "status": self.status, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})

    async def close(self) -> None:
        """End the response to a client that has disconnected, since BentoML's timeout waits for a first message."""
        if not self.status:
            self.status = 499
            await self._send({"type": "http.response.start", "status": 499, "headers": []})
        if not self._is_replaced:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
