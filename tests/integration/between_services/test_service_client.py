"""Calls between services, over real HTTP on loopback, without BentoML or an engine."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    Overloaded,
    RagError,
    VectorStoreNotFound,
)
from rag.http.clients.service_client import ServiceClient
from rag.http.error_table import error_response
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.request_id import current_request_id
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.streaming.event_stream import Event, EventStream
from tests.support.servers.loopback import app_of, client_of, hanging, until

pytestmark = pytest.mark.integration


def respond(response: Response) -> ASGIApp:
    async def handler(request: Request) -> Response:
        await request.body()
        return response

    return app_of(handler)


async def failure_of(app: ASGIApp, *, timeout_s: float = 5) -> RagError:
    async with client_of(app) as client:
        with pytest.raises(RagError) as caught:
            await client.call("/x", {}, timeout_s=timeout_s)
    return caught.value


class EndlessStream:
    """An endless stream of events; `open` counts the open streams."""

    def __init__(self) -> None:
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/call":
            return await JSONResponse({"ok": True})(scope, receive, send)
        stream = EventStream(self._events(), keep_alive_s=5, timeout_s=60)
        return await ServiceMiddleware(stream, Lifecycle("Test"), 1000, {"*": 1000})(scope, receive, send)

    async def _events(self) -> AsyncGenerator[Event, None]:
        self.open += 1
        try:
            number = 0
            while True:
                yield "token", {"text": str(number)}
                number += 1
                await asyncio.sleep(0.01)
        finally:
            self.open -= 1


# Calls


async def test_an_overloaded_service_says_when_to_try_again() -> None:
    failure = await failure_of(respond(error_response(Overloaded("generate: full", retry_after_s=17))))
    assert isinstance(failure, Overloaded)
    assert (failure.message, failure.retry_after_s) == ("generate: full", 17)
    assert error_response(failure).headers["retry-after"] == "17"


async def test_a_call_sends_json_and_the_current_request_id() -> None:
    async def handler(request: Request) -> Response:
        return JSONResponse({"body": await request.json(), "id": request.headers.get("x-request-id")})

    async with client_of(app_of(handler)) as client:
        assert await client.call("/x", {"a": "ä"}, timeout_s=5) == {"body": {"a": "ä"}, "id": None}
        token = current_request_id.set("abc")
        assert (await client.call("/x", {}, timeout_s=5))["id"] == "abc"
        current_request_id.reset(token)


async def test_an_error_of_the_service_is_raised_as_its_own_class() -> None:
    """docs/bentoml_issues.md#b7: BentoML's own client hides it."""
    error = await failure_of(respond(error_response(VectorStoreNotFound("no such store", param="vector_store"), "id")))
    assert (type(error), error.message, error.param) == (VectorStoreNotFound, "no such store", "vector_store")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (PlainTextResponse("busy", status_code=429), Overloaded),
        (PlainTextResponse("<html>bad gateway</html>", status_code=502), DependencyUnavailable),
        (JSONResponse(["foreign"], status_code=503), DependencyUnavailable),
        (PlainTextResponse("late", status_code=504), DeadlineExceeded),
        (PlainTextResponse("not JSON"), DependencyUnavailable),
        (PlainTextResponse("{bad", media_type="application/json"), DependencyUnavailable),
    ],
)
async def test_a_response_in_an_unknown_format_is_an_error(response: Response, expected: type[RagError]) -> None:
    assert type(await failure_of(respond(response))) is expected


async def test_a_refused_connection_is_an_unavailable_dependency() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = ServiceClient("LLM", f"tcp://127.0.0.1:{port}")
    with pytest.raises(DependencyUnavailable, match="LLM does not answer"):
        await client.call("/x", {}, timeout_s=5)
    with pytest.raises(DependencyUnavailable):
        async with client.stream("/x", {}):
            pass
    await client.close()


async def test_a_late_response_is_a_deadline_exceeded() -> None:
    error = await failure_of(hanging, timeout_s=0.1)
    assert (type(error), error.message) == (DeadlineExceeded, "LLM did not answer within 0.1 s")


async def test_a_forwarded_call_returns_any_status_unchanged() -> None:
    async def handler(request: Request) -> Response:
        description = {"path": request.scope["raw_path"].decode(), "body": (await request.body()).decode()}
        return JSONResponse(description, status_code=418, headers={"x-odd": "1"})

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async with (
        client_of(app_of(handler)) as client,
        client.forward("PUT", "/a%2Fb?c=%20", {"x-a": "b"}, body()) as response,
    ):
        assert (response.status, response.headers["x-odd"]) == (418, "1")
        assert await response.json() == {"path": "/a%2Fb", "body": "ab"}


async def test_forwarding_to_an_unreachable_service_is_an_unavailable_dependency() -> None:
    client = ServiceClient("LLM", "http://127.0.0.1:9")
    with pytest.raises(DependencyUnavailable):
        async with client.forward("GET", "/x", {}, None):
            pass
    await client.close()


# Streams


async def test_closing_a_stream_cancels_it_in_the_service() -> None:
    """Behind BentoML's proxy it would continue (docs/bentoml_issues.md#b2, docs/bentoml_issues.md#b5)."""
    app = EndlessStream()
    async with client_of(app) as client:
        async with client.stream("/stream", {}) as stream:
            data = b""
            while b"event: token" not in data:
                data += await anext(stream)
            assert app.open == 1
        await until(lambda: app.open == 0)


async def test_a_refused_stream_raises_before_its_first_byte() -> None:
    async with client_of(respond(error_response(ContextLengthExceeded("too long"), "id"))) as client:
        with pytest.raises(ContextLengthExceeded):
            async with client.stream("/generate", {}):
                pass


async def test_calls_do_not_disturb_streams() -> None:
    """BentoML's client closes sessions with streams in flight (docs/bentoml_issues.md#b1)."""
    app = EndlessStream()

    async def numbers(client: ServiceClient) -> list[int]:
        numbers_read: list[int] = []
        async with client.stream("/stream", {}) as stream:
            async for chunk in stream:
                lines = [line for line in chunk.splitlines() if line.startswith(b"data: ")]
                numbers_read += [int(json.loads(line[6:])["text"]) for line in lines]
                if app.open == 0 or len(numbers_read) >= 30:
                    break
        return numbers_read

    async with client_of(app) as client:
        reading = [asyncio.create_task(numbers(client)) for _ in range(32)]
        await until(lambda: app.open == 32, 60)
        for _ in range(3):
            answers = await asyncio.gather(*(client.call("/call", {}, timeout_s=120) for _ in range(100)))
            assert answers == [{"ok": True}] * 100
        numbers_read = await asyncio.gather(*reading)
    assert all(len(one) >= 30 and one == list(range(len(one))) for one in numbers_read)


async def test_a_unix_socket_works_after_its_folder_is_deleted(tmp_path: Path) -> None:
    """BentoML's supervisor removes it while requests still need it (docs/bentoml_issues.md#b6)."""
    folder = tmp_path / "uds"
    folder.mkdir()

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"still": "here"})

    app = web.Application()
    app.router.add_post("/call", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "a.sock")).start()
    client = ServiceClient("LLM", f"file://{folder}/a.sock")
    try:
        shutil.rmtree(folder)
        assert await client.call("/call", {}, timeout_s=5) == {"still": "here"}
    finally:
        await client.close()
        await runner.cleanup()
    assert list(tmp_path.iterdir()) == []
