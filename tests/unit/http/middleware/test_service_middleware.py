"""The middleware of every service, around small applications."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.auth.caller import Caller
from rag.errors import Conflict, DependencyUnavailable
from rag.http.error_table import error_response
from rag.http.middleware.lifecycle import LEASE_PATH, Lifecycle
from rag.http.middleware.request_id import current_request_id
from rag.http.middleware.service_middleware import ServiceMiddleware

LIMITS = {"*": 100, "/ingest": 1000, "/v1/*": 200, "/v1/files*": 300, "/v1/files/small": 50}
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Exchange:
    """One request and all messages of its response."""

    def __init__(
        self,
        app: ASGIApp,
        path: str = "/ask",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        chunks: tuple[bytes, ...] = (b"{}",),
    ) -> None:
        method = method or ("GET" if path in ("/livez", "/readyz") else "POST")
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        self._scope: Scope = {"type": "http", "method": method, "path": path, "headers": pairs}
        self._app = app
        self._chunks = list(chunks)
        self._over = asyncio.Event()
        self.messages: list[Message] = []

    async def run(self) -> Exchange:
        await asyncio.wait_for(self._app(self._scope, self._receive, self._send), 60)
        return self

    def start(self) -> asyncio.Task[Exchange]:
        return asyncio.create_task(self.run())

    def leave(self) -> None:
        self._over.set()

    async def _receive(self) -> Message:
        if self._chunks:
            chunk = self._chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        assert not self.complete, f"sent after the end: {message}"
        assert (message["type"] == "http.response.start") == (not self.messages)
        self.messages.append(message)
        if self.complete:
            self._over.set()

    @property
    def complete(self) -> bool:
        return len(self.messages) > 1 and not self.messages[-1].get("more_body", False)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code", "retryable", "request_id"}
        return error


def make_lifecycle(*, is_edge: bool = True, ready: Mapping[str, Any] | Exception | None = None) -> Lifecycle:
    lifecycle = Lifecycle("Test", is_edge=is_edge)

    async def probe() -> Mapping[str, Any]:
        if isinstance(ready, Exception):
            raise ready
        assert ready is not None
        return ready

    if ready is not None:
        lifecycle.on_probe(probe)
    return lifecycle


def edge(app: ASGIApp, lifecycle: Lifecycle | None = None, *, max_in_flight: int = 10) -> ServiceMiddleware:
    return ServiceMiddleware(app, lifecycle or make_lifecycle(), max_in_flight, LIMITS)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the client is gone")
        length, more = length + len(message["body"]), message["more_body"]
    await JSONResponse({"bytes": length, "id": current_request_id.get()})(scope, receive, send)


class Slow:
    """An application that responds when `gate` is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.at_work = asyncio.Event()
        self.outcome = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.at_work.set()
        try:
            await self.gate.wait()
            await PlainTextResponse("ok")(scope, receive, send)
            self.outcome = "finished"
        except asyncio.CancelledError:
            self.outcome = "cancelled"
            raise


# Request ids


async def test_a_clients_request_id_is_used_and_returned() -> None:
    exchange = await Exchange(edge(echo), headers={"x-request-id": "abc-1"}).run()
    assert exchange.headers["x-request-id"] == "abc-1"
    assert json.loads(exchange.body)["id"] == "abc-1"
    assert current_request_id.get() == ""


async def test_a_missing_request_id_is_generated() -> None:
    first, second = await Exchange(edge(echo)).run(), await Exchange(edge(echo)).run()
    assert len(first.headers["x-request-id"]) == 32
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert json.loads(first.body)["id"] == first.headers["x-request-id"]


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "a\n", "a\r\nset-cookie: b", "é", "<script>"])
async def test_a_request_id_that_is_unsafe_to_log_is_replaced(bad: str) -> None:
    exchange = await Exchange(edge(echo), headers={"x-request-id": bad}).run()
    assert len(exchange.headers["x-request-id"]) == 32


# The common error shape


def respond(status: int, body: object = None) -> ASGIApp:
    return JSONResponse(body if body is not None else ["foreign"], status_code=status)


@pytest.mark.parametrize(
    ("status", "expected_status", "code"),
    [
        (404, 404, "not_found"), (405, 405, "method_not_allowed"), (422, 400, "invalid_request"),
        (429, 429, "overloaded"), (500, 500, "internal_error"),
        (503, 503, "dependency_unavailable"), (504, 504, "timeout"),
    ],
)  # fmt: skip
async def test_errors_of_bentoml_get_the_common_shape(status: int, expected_status: int, code: str) -> None:
    """docs/bentoml_issues.md#b7: BentoML's 4xx bodies are arrays, and its 5xx bodies hide the message."""
    exchange = await Exchange(edge(respond(status)), headers={"x-request-id": "abc"}).run()
    assert (exchange.status, exchange.error["code"], exchange.error["request_id"]) == (expected_status, code, "abc")
    assert exchange.headers["content-length"] == str(len(exchange.body))
    assert exchange.headers["x-request-id"] == "abc"


async def test_a_405_of_bentoml_keeps_its_allow_header() -> None:
    exchange = await Exchange(edge(PlainTextResponse("no", 405, headers={"Allow": "POST", "X-Other": "1"}))).run()
    assert (exchange.status, exchange.headers["allow"], "x-other" in exchange.headers) == (405, "POST", False)


async def test_readiness_allows_only_get() -> None:
    exchange = await Exchange(edge(PlainTextResponse("no", 405)), "/readyz", method="POST").run()
    assert (exchange.status, exchange.error["code"]) == (405, "method_not_allowed")


async def test_an_error_of_the_common_shape_is_unchanged() -> None:
    exchange = await Exchange(edge(error_response(Conflict("twice", param="name"), "abc"))).run()
    assert (exchange.status, exchange.error["code"], exchange.error["message"], exchange.error["param"]) == (
        409,
        "conflict",
        "twice",
        "name",
    )


async def test_a_successful_response_is_unchanged() -> None:
    exchange = await Exchange(edge(respond(201, ["foreign"]))).run()
    assert (exchange.status, json.loads(exchange.body)) == (201, ["foreign"])


async def test_an_exception_becomes_an_error_response() -> None:
    """docs/bentoml_issues.md#b10: BentoML makes the client wait for the whole timeout."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("secret")

    lifecycle = make_lifecycle()
    exchange = await Exchange(edge(broken, lifecycle), headers={"x-request-id": "abc"}).run()
    assert (exchange.status, exchange.error["code"], exchange.error["request_id"]) == (500, "internal_error", "abc")
    assert b"secret" not in exchange.body
    assert lifecycle.in_flight == 0


async def test_an_exception_after_the_head_leaves_the_body_incomplete() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("a defect")

    exchange = await Exchange(edge(broken)).run()
    assert (exchange.status, exchange.body, exchange.complete) == (200, b"half", False)


# Readiness


@pytest.mark.parametrize(
    ("ready", "status", "code"),
    [(None, 503, "starting"), (DependencyUnavailable("no store"), 503, "dependency_unavailable")],
)
async def test_readiness_reports_why_the_service_is_not_ready(ready: Exception | None, status: int, code: str) -> None:
    """docs/bentoml_issues.md#b19: readiness responds at once, even while the service is starting."""
    exchange = await Exchange(edge(echo, make_lifecycle(ready=ready)), "/readyz").run()
    assert (exchange.status, exchange.error["code"]) == (status, code)
    assert "retry-after" in exchange.headers


async def test_readiness_includes_facts() -> None:
    exchange = await Exchange(edge(echo, make_lifecycle(ready={"model": "m"})), "/readyz").run()
    assert (exchange.status, json.loads(exchange.body)) == (200, {"status": "ready", "in_flight": 0, "model": "m"})


async def test_a_draining_edge_refuses_requests_and_is_live_but_not_ready() -> None:
    """docs/bentoml_issues.md#b6: readiness fails first."""
    lifecycle = make_lifecycle(ready={})
    lifecycle.draining = True
    for path in ("/ask", "/readyz"):
        exchange = await Exchange(edge(echo, lifecycle), path).run()
        assert (exchange.status, exchange.error["code"], exchange.headers["retry-after"]) == (503, "draining", "5")
    assert (await Exchange(edge(echo, lifecycle), "/livez").run()).status == 200


async def test_a_draining_dependency_keeps_serving() -> None:
    """docs/bentoml_issues.md#b6: requests in flight still need it."""
    lifecycle = make_lifecycle(is_edge=False, ready={})
    lifecycle.draining = True
    for path in ("/encode", "/readyz"):
        assert (await Exchange(edge(echo, lifecycle), path).run()).status == 200


# Admission


async def test_requests_above_the_concurrency_limit_are_refused_at_once() -> None:
    """docs/bentoml_issues.md#b15: BentoML's own 429 has no Retry-After and also applies to probes and documentation."""
    app, lifecycle = Slow(), make_lifecycle(ready={})
    middleware = edge(app, lifecycle, max_in_flight=2)
    tasks = [Exchange(middleware).start() for _ in range(2)]
    await asyncio.sleep(0.01)
    assert lifecycle.in_flight == 2
    exchange = await Exchange(middleware).run()
    assert (exchange.status, exchange.error["code"], exchange.headers["retry-after"]) == (429, "overloaded", "1")
    ready = await Exchange(middleware, "/readyz").run()
    assert (ready.status, ready.error["code"], ready.headers["retry-after"]) == (503, "overloaded", "1")
    app.gate.set()
    assert [task.status for task in await asyncio.gather(*tasks)] == [200, 200]
    assert lifecycle.in_flight == 0
    assert (await Exchange(middleware).run()).status == 200
    assert (await Exchange(middleware, "/readyz").run()).status == 200


class AdmitsByHeader:
    async def admit(self, scope: Scope, response_headers: MutableMapping[str, str]) -> Caller:
        return Caller(Headers(scope=scope)["x-key"], "acme", frozenset())


async def test_one_caller_cannot_have_all_requests_in_progress() -> None:
    app, lifecycle = Slow(), make_lifecycle(ready={})
    middleware = ServiceMiddleware(app, lifecycle, 8, LIMITS, admission=AdmitsByHeader())
    tasks = [Exchange(middleware, headers={"x-key": "a"}).start() for _ in range(7)]
    await asyncio.sleep(0.01)
    refused = await Exchange(middleware, headers={"x-key": "a"}).run()
    assert (refused.status, refused.error["message"], refused.headers["retry-after"]) == (
        429,
        "7 of your requests are already being processed; try again soon",
        "1",
    )
    tasks.append(Exchange(middleware, headers={"x-key": "b"}).start())
    await asyncio.sleep(0.01)
    assert lifecycle.in_flight == 8
    app.gate.set()
    assert [task.status for task in await asyncio.gather(*tasks)] == [200] * 8
    assert (await Exchange(middleware, headers={"x-key": "a"}).run()).status == 200
    assert middleware._in_flight_of == {}


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/ask", 100), ("/ingest", 1000), ("/ingest/x", 100), ("/v1/jobs", 200), ("/v1/files", 300),
        ("/v1/files/x", 300), ("/v1/files/small", 50), ("/v1", 100),
    ],
)  # fmt: skip
async def test_a_body_with_too_large_a_content_length_is_refused(path: str, limit: int) -> None:
    """docs/bentoml_issues.md#b16: BentoML reads bodies of any size."""
    body = b"x" * limit  # so that only the header exceeds the limit
    for length, status in ((limit, 200), (limit + 1, 413)):
        exchange = await Exchange(edge(echo), path, headers={"content-length": str(length)}, chunks=(body,)).run()
        assert exchange.status == status


async def test_a_chunked_body_is_limited_while_it_is_received() -> None:
    lifecycle = make_lifecycle()
    middleware = edge(echo, lifecycle)
    assert json.loads((await Exchange(middleware, chunks=(b"x" * 50, b"x" * 50)).run()).body)["bytes"] == 100
    exchange = await Exchange(middleware, chunks=(b"x" * 50, b"x" * 51, b"x" * 50)).run()
    assert (exchange.status, exchange.error["code"]) == (413, "file_too_large")
    assert "100 bytes" in exchange.error["message"]
    assert lifecycle.in_flight == 0


# Disconnects


async def test_a_disconnect_cancels_the_request_and_sends_a_response() -> None:
    """BentoML's TimeoutMiddleware waits for a first message (docs/bentoml_issues.md#b5, docs/bentoml_issues.md#b10)."""
    app, lifecycle = Slow(), make_lifecycle()
    exchange = Exchange(edge(app, lifecycle))
    task = exchange.start()
    await app.at_work.wait()
    exchange.leave()
    await task
    assert app.outcome == "cancelled"
    assert (exchange.status, exchange.complete, lifecycle.in_flight) == (499, True, 0)


async def test_a_stream_is_closed_when_its_client_disconnects() -> None:
    streaming = asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        streaming.set()
        await asyncio.Event().wait()

    exchange = Exchange(edge(stream))
    task = exchange.start()
    await streaming.wait()
    exchange.leave()
    await task
    assert (exchange.status, exchange.body, exchange.complete) == (200, b"a", True)


async def test_work_after_the_last_byte_is_not_cancelled_and_gets_no_second_response() -> None:
    done: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("ok")(scope, receive, send)
        await asyncio.sleep(0.01)
        done.append(True)

    exchange = await Exchange(edge(app)).run()
    assert (exchange.status, exchange.body, done) == (200, b"ok", [True])


async def test_a_lease_counts_as_in_flight_until_its_holder_disconnects() -> None:
    """docs/bentoml_issues.md#b6: a draining dependency therefore waits for the edge."""
    lifecycle = make_lifecycle(is_edge=False)
    lifecycle.draining = True
    exchange = Exchange(edge(echo, lifecycle), LEASE_PATH)
    task = exchange.start()
    await asyncio.sleep(0.01)
    assert (lifecycle.in_flight, exchange.messages) == (1, [])
    exchange.leave()
    await task
    assert (lifecycle.in_flight, exchange.complete) == (0, True)


async def test_other_protocols_than_http_pass_through() -> None:
    scope_types: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope_types.append(scope["type"])

    async def nothing(*_: Message) -> Any:
        return None

    await edge(app)({"type": "lifespan"}, nothing, nothing)
    assert scope_types == ["lifespan"]
