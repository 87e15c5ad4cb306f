"""The middleware of every service: request ids, readiness (docs/bentoml_issues.md#b19), admission, disconnects."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from rag.auth.caller import WITHOUT_KEY, Caller, current_caller
from rag.errors import InternalError, MethodNotAllowed, NotFound, Overloaded, RagError
from rag.http.auth.admission import Admission
from rag.http.auth.audit_trail import AuditTrail, RequestOutcome
from rag.http.error_table import error_response
from rag.http.headers.used_tokens import UsedTokens, current_used_tokens
from rag.http.in_process import SERVICE
from rag.http.middleware.browser_guard import BrowserGuard
from rag.http.middleware.disconnect import run_while_connected
from rag.http.middleware.lifecycle import LEASE_PATH, Lifecycle
from rag.http.middleware.open_websockets import OpenWebSockets
from rag.http.middleware.request_body import LimitedBody, too_large
from rag.http.middleware.request_id import HEADER, accept_request_id, current_request_id
from rag.http.middleware.request_metrics import RequestMetrics, current_service
from rag.http.middleware.response_sender import ResponseSender
from rag.http.middleware.route_templates import RouteTemplates
from rag.http.middleware.turns import in_turns
from rag.queues.caller_turns import CallerTurns
from rag.telemetry import tracing
from rag.telemetry.exposition import CONTENT_TYPE

logger = logging.getLogger("rag.http")
access = logging.getLogger("rag.access")

_METRICS = "/metrics"
_UNGUARDED_PATHS = ("/livez", "/healthz", _METRICS, "/readyz")
_WEBSOCKETS = ("/v1/responses",)


class ServiceMiddleware:
    """ASGI middleware that BentoML creates with the options given to `add_asgi_middleware`.

    Args:
        app: The service.
        lifecycle: The state of this process.
        max_in_flight: Maximum concurrent requests; more get 429 (docs/bentoml_issues.md#b15); one caller may have 7/8.
        max_body_bytes: Maximum size of a body by path (docs/bentoml_issues.md#b16). A key that ends in `*`
            applies to all paths with this prefix; the longest match wins, and `"*"` matches every path.
        access_log: Whether each request is logged.
        guard: Of the edge: refuses what a foreign web page sends.
        routes: Of the service, for the labels of its metrics.
        admission: Authenticates each request, probes excepted; None: every request is served.
        body_timeout_s: Longest pause within the body of a request; None: any.
        audit: Notes what clients did; None: nothing does.
        make_turns: Of the edge: makes what limits the requests of one caller while others are active; None: no limit.
        max_websockets: Maximum open WebSockets of one caller; more get 429.
    """

    def __init__(
        self,
        app: ASGIApp,
        lifecycle: Lifecycle,
        max_in_flight: int,
        max_body_bytes: dict[str, int],
        access_log: bool = False,
        guard: BrowserGuard | None = None,
        routes: RouteTemplates | None = None,
        admission: Admission | None = None,
        body_timeout_s: float | None = None,
        audit: AuditTrail | None = None,
        make_turns: Callable[[], CallerTurns] | None = None,
        max_websockets: int = 64,
    ) -> None:
        self._app = app
        self._in_turns = app if make_turns is None else in_turns(app, make_turns())
        self._life = lifecycle
        lifecycle.service = self
        self._max_in_flight = max_in_flight
        self._max_of_caller = max_in_flight - max_in_flight // 8
        self._in_flight_of: Counter[str] = Counter()
        self._max_body_bytes = max_body_bytes
        self._access_log = access_log
        self._guard = guard
        self._metrics = RequestMetrics(
            lifecycle.name, routes or RouteTemplates(), max_in_flight, is_edge=lifecycle.is_edge
        )
        self._admission = admission
        self._body_timeout_s = body_timeout_s
        self._audit = audit
        self._websockets = OpenWebSockets(max_websockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await self._connect(scope, receive, send)
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = accept_request_id(Headers(scope=scope).get(HEADER))
        token = current_request_id.set(request_id)
        current_service.set(self._life.name)
        current_used_tokens.set(used := UsedTokens())
        scope[SERVICE] = self
        sender = ResponseSender(send, scope["path"], request_id, None if self._life.is_edge else used)
        try:
            if scope["path"] in _UNGUARDED_PATHS or self._is_lease(scope):
                await self._respond(scope, receive, sender)
            else:
                await self._observe(scope, receive, sender)
        finally:
            if self._audit is not None:
                self._audit.note(scope, RequestOutcome(sender.status, sender.error_code, request_id, sender.object_id))
            current_request_id.reset(token)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a WebSocket, if a request to its path would be admitted. What it then asks for are requests."""
        as_request = {**scope, "type": "http", "method": "POST"}
        with contextlib.ExitStack() as stack:
            try:
                caller = await self._admitted_handshake(as_request)
                stack.enter_context(self._websockets.opened_by(caller))
            except RagError as error:
                await self._deny(error, as_request, WebSocket(scope, receive, send))
            else:
                await self._app({**scope, SERVICE: self}, receive, send)

    async def _deny(self, error: RagError, as_request: Scope, websocket: WebSocket) -> None:
        request_id = accept_request_id(websocket.headers.get(HEADER))
        response = error_response(error, request_id)
        if self._audit is not None:
            self._audit.note(as_request, RequestOutcome(response.status_code, error.code, request_id, ""))
        await websocket.send_denial_response(response)

    async def _admitted_handshake(self, scope: Scope) -> Caller:
        """Who opens the WebSocket. Raises the error with which the handshake is refused."""
        if not self._life.is_edge or scope["path"] not in _WEBSOCKETS:
            raise NotFound(f"there is no WebSocket {scope['path'][:200]}")
        if (refusal := self._refusal(scope)) is not None:
            raise refusal
        return await self._admit(scope, {})

    async def _observe(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        """Respond, with a span, metrics and a line in the access log."""
        started = time.perf_counter()
        try:
            with self._metrics.span(scope, sender.request_id) as span:
                try:
                    await self._respond(scope, receive, sender)
                finally:
                    tracing.end_server_span(span, sender.status, sender.error_code)
        finally:
            took_s = time.perf_counter() - started
            self._metrics.ended(scope, sender.status, sender.error_code, took_s)
            if self._access_log:
                access.info("%s %s %s %.1f ms", scope["method"], scope["path"], sender.status, took_s * 1000)

    async def _respond(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        try:
            await self._serve(scope, receive, sender)
        except Exception:  # the client must get a response (docs/bentoml_issues.md#b10)
            logger.exception("%s %s failed", scope["method"], scope["path"])
            await sender.fail(
                InternalError("an unexpected error occurred; the server's log has the details under this request id")
            )

    async def _serve(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        path = scope["path"]
        if path == "/readyz" and scope["method"] in ("GET", "HEAD"):
            return await self._answer_readyz(scope, receive, sender)
        if path == _METRICS:
            if self._life.is_edge and await self._admitted(scope, sender) is None:
                return None
            return await self._answer_metrics(scope, receive, sender)
        if path in _UNGUARDED_PATHS:
            return await self._app(scope, receive, sender.send)
        if (refusal := self._refusal(scope)) is not None:
            return await error_response(refusal, sender.request_id)(scope, receive, sender.send)
        body = LimitedBody(
            receive,
            max_bytes=self._body_limit(scope),
            timeout_s=self._body_timeout_s,
            path=path,
            refuse=sender.fail,
        )
        self._life.enter()
        self._metrics.in_flight(self._life.in_flight)
        try:
            if (caller := await self._admitted(scope, sender)) is not None:
                with self._as_caller(caller):
                    await self._run(scope, body.receive, sender)
        finally:
            self._life.leave()
            self._metrics.in_flight(self._life.in_flight)

    async def _admitted(self, scope: Scope, sender: ResponseSender) -> Caller | None:
        """Who sent the request; None if it was refused, which the response says."""
        try:
            return await self._admit(scope, sender.headers)
        except RagError as error:
            await sender.fail(error)
            return None

    async def _admit(self, scope: Scope, headers: dict[str, str]) -> Caller:
        if self._admission is None:
            return WITHOUT_KEY
        caller = await self._admission.admit(scope, headers)
        if self._life.is_edge:
            self._refuse_too_many_of(caller)
        return caller

    async def _run(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        if self._is_lease(scope):
            await _hold(receive)
            await sender.close()
            return
        try:
            if not await run_while_connected(self._in_turns, scope, receive, sender.send):
                await sender.close()
        except RagError as error:
            await sender.fail(error)

    def _is_lease(self, scope: Scope) -> bool:
        return not self._life.is_edge and scope["path"] == LEASE_PATH

    async def _answer_readyz(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        response: Response
        try:
            if (saturated := self._saturation()) is not None:
                raise saturated
            facts = await self._life.ready()
            response = JSONResponse({"status": "ready", "in_flight": self._life.in_flight, **facts})
        except RagError as error:
            response = error_response(error, sender.request_id)
            if isinstance(error, Overloaded):  # 429 would say that there were too many probes
                response.status_code = 503
        await response(scope, receive, sender.send)

    async def _answer_metrics(self, scope: Scope, receive: Receive, sender: ResponseSender) -> None:
        if scope["method"] in ("GET", "HEAD"):
            response = Response(await self._life.metrics(), media_type=CONTENT_TYPE)
            await response(scope, receive, sender.send)
        else:
            await sender.fail(MethodNotAllowed("/metrics does not support this method"), {"allow": "GET, HEAD"})

    def _refusal(self, scope: Scope) -> RagError | None:
        if (refusal := self._life.refusal()) is not None:
            return refusal
        if self._guard is not None and (refusal := self._guard.refusal(scope)) is not None:
            return refusal
        if (saturated := self._saturation()) is not None:
            return saturated
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > self._body_limit(scope):
            return too_large(scope["path"], self._body_limit(scope))
        return None

    def _saturation(self) -> Overloaded | None:
        """The error for a new request if as many are in progress as are admitted."""
        if self._life.in_flight < self._max_in_flight:
            return None
        return Overloaded(f"{self._max_in_flight} requests are already being processed; try again soon")

    def _refuse_too_many_of(self, caller: Caller) -> None:
        if self._in_flight_of[caller.queue] >= self._max_of_caller:
            raise Overloaded(f"{self._max_of_caller} of your requests are already being processed; try again soon")

    @contextlib.contextmanager
    def _as_caller(self, caller: Caller) -> Iterator[None]:
        """A context that counts a request of the caller."""
        self._in_flight_of[caller.queue] += 1
        token = current_caller.set(caller)
        try:
            yield
        finally:
            current_caller.reset(token)
            self._in_flight_of -= Counter({caller.queue: 1})  # forgets callers with none

    def _body_limit(self, scope: Scope) -> int:
        path, limits = scope["path"], self._max_body_bytes
        if path in limits:
            return limits[path]
        return limits[max((key for key in limits if key[-1:] == "*" and path.startswith(key[:-1])), key=len)]


async def _hold(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
