"""Forwarding of requests, over real HTTP on loopback, with streamed bodies in both directions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import openai
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import EmbeddingMismatch, Overloaded, Starting
from rag.http.clients.service_client import ServiceClient
from rag.http.clients.service_proxy import ServiceProxy
from rag.http.error_table import error_response
from rag.http.headers.inner_headers import USED_TOKENS
from rag.http.headers.used_tokens import report_tokens
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.v1.applications.deferred_app import DeferredApp
from tests.support.servers.loopback import app_of, served, until
from tests.support.v1.v1_client import V1, error_of


def edge(app: ASGIApp, lifecycle: Lifecycle | None = None) -> ServiceMiddleware:
    return ServiceMiddleware(app, lifecycle or Lifecycle("Test"), 100, {"*": 2**30})


@contextlib.asynccontextmanager
async def forwarding(upstream: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that forwards everything to `upstream`."""
    async with served(edge(upstream)) as url:
        client = ServiceClient("Retriever", url)
        async with (
            served(edge(ServiceProxy(client))) as proxy_url,
            httpx.AsyncClient(base_url=proxy_url, timeout=5) as http,
        ):
            yield http
        await client.close()


async def describe_request(request: Request) -> Response:
    names = ("content-type", "content-length", "idempotency-key", "authorization", "cookie", "accept", "x-request-id")
    return JSONResponse(
        {
            "method": request.method,
            "raw": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": {name: request.headers[name] for name in names if name in request.headers},
            "body": (await request.body()).decode(),
        }
    )


async def test_a_request_is_forwarded_unchanged() -> None:
    headers = {"content-type": "text/odd; a=b", "idempotency-key": "k", "x-request-id": "id-1", "accept": "x/y"}
    async with forwarding(app_of(describe_request)) as http:
        response = await http.post("/v1/a%2Fb/%C3%A9?q=a+b%20c&r=%2B", content=b"body", headers=headers)
    forwarded = response.json()
    assert (forwarded["method"], forwarded["raw"], forwarded["query"]) == (
        "POST",
        "/v1/a%2Fb/%C3%A9",
        "q=a+b%20c&r=%2B",
    )
    assert forwarded["headers"] == {**headers, "content-length": "4"}
    assert (forwarded["body"], response.headers["x-request-id"]) == ("body", "id-1")
    assert response.headers.get_list("x-request-id") == ["id-1"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
async def test_a_request_without_a_body_is_forwarded_without_one(method: str) -> None:
    async with forwarding(app_of(describe_request)) as http:
        forwarded = (await http.request(method, "/v1/x")).json()
    assert (forwarded["method"], forwarded["body"]) == (method, "")
    assert "content-type" not in forwarded["headers"]


async def test_secrets_are_not_forwarded() -> None:
    async with forwarding(app_of(describe_request)) as http:
        response = await http.get("/v1/x", headers={"authorization": "Bearer x", "cookie": "a=b"})
    assert not {"authorization", "cookie"} & set(response.json()["headers"])


async def test_a_body_is_forwarded_as_it_arrives() -> None:
    received: list[bytes] = []

    async def upstream(request: Request) -> Response:
        async for chunk in request.stream():
            received.append(chunk)
        return Response()

    async def body() -> AsyncIterator[bytes]:
        for chunk in (b"one", b"two"):
            yield chunk
            await until(lambda: received[-1:] == [chunk])  # noqa: B023

    async with forwarding(app_of(upstream)) as http:
        assert (await http.post("/v1/x", content=body())).status_code == 200
    assert received == [b"one", b"two", b""]


async def test_a_response_is_forwarded_as_it_arrives() -> None:
    first_chunk_read = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        await first_chunk_read.wait()
        yield b"two"

    async def upstream(request: Request) -> Response:
        return StreamingResponse(chunks())

    received: list[bytes] = []
    async with forwarding(app_of(upstream)) as http, http.stream("GET", "/v1/x") as response:
        async for chunk in response.aiter_raw():
            received.append(chunk)
            first_chunk_read.set()
    assert received == [b"one", b"two"]


async def test_headers_and_bytes_of_a_response_are_returned() -> None:
    headers = {
        "content-disposition": "attachment; filename*=utf-8''%E6%97%A5", "etag": '"x"', "openai-poll-after-ms": "500",
        "retry-after": "3", "x-content-type-options": "nosniff",
    }  # fmt: skip
    content = bytes(range(256)) * 4000

    async def upstream(request: Request) -> Response:
        return Response(content, status_code=206, headers=headers, media_type="application/x")

    async with forwarding(app_of(upstream)) as http:
        response = await http.get("/v1/x")
        assert (response.status_code, response.content) == (206, content)
        assert {name: response.headers[name] for name in headers} == headers
        assert response.headers.get_list("content-length") == [str(len(content))]
        head = await http.head("/v1/x")
        assert (head.status_code, head.content, head.headers["content-length"]) == (206, b"", str(len(content)))


async def test_an_error_of_the_service_is_returned_unchanged() -> None:
    for error in (Overloaded("busy"), EmbeddingMismatch("two models")):
        answer = error_response(error, "")
        async with forwarding(answer) as http:
            response = await http.get("/v1/x")
        assert (response.status_code, response.json()["error"]["message"]) == (
            answer.status_code,
            error.message,
        )
        assert response.headers.get("retry-after") == answer.headers.get("retry-after")


async def test_an_unknown_route_is_a_404_of_the_common_shape() -> None:
    async with forwarding(Router()) as http:
        assert error_of(await http.post("/v1/chat/completions", json={}))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    ["/v1/../prepare", "/v1/%2e%2e/prepare", "/v1/..%2Fprepare", "//evil.test/x", "/v1/./x", "/v1/x/../../-/hold"],
)
async def test_a_path_traversal_is_not_forwarded(path: str) -> None:
    paths: list[str] = []

    async def upstream(request: Request) -> Response:
        paths.append(request.url.path)
        return Response()

    async with forwarding(app_of(upstream)) as http:
        url = http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 404")
    assert paths == []


async def test_an_unreachable_service_is_an_unavailable_dependency() -> None:
    client = ServiceClient("Retriever", "http://127.0.0.1:9")

    def starting(name: str) -> None:
        raise Starting(f"{name} is starting")

    def mismatch(name: str) -> None:
        raise EmbeddingMismatch("a moment ago")

    for require, code in (
        (None, "dependency_unavailable"),
        (starting, "starting"),
        (mismatch, "dependency_unavailable"),
    ):
        transport = httpx.ASGITransport(ServiceProxy(client, require))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            for content in (None, b"x"):
                assert error_of(await http.post("/v1/files", content=content))[:2] == (503, code)
    await client.close()


async def test_tokens_that_the_service_used_are_counted_and_not_sent_to_clients() -> None:
    async def upstream(request: Request) -> Response:
        await report_tokens({"/embeddings": 3, "/retrieve": 5}.get(request.url.path, 0))
        await report_tokens(4 if request.url.path == "/embeddings" else 0)
        return JSONResponse({})

    counted: list[int] = []

    async def add(tokens: int) -> None:
        counted.append(tokens)

    inner = ServiceMiddleware(app_of(upstream), Lifecycle("Retriever"), 100, {"*": 2**20})
    async with served(inner) as url:
        client = ServiceClient("Retriever", url, add_tokens=add)
        transport = httpx.ASGITransport(ServiceProxy(client))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            for path in ("/embeddings", "/files"):
                assert USED_TOKENS not in (await http.post(path)).headers
        assert await client.call("/retrieve", {}, timeout_s=30) == {}
        await client.close()
    assert counted == [7, 0, 5]


async def test_a_refusal_in_the_middle_of_an_upload_reaches_the_client(app: V1) -> None:
    async with forwarding(app.app) as http:
        for _ in range(3):  # also on a reused connection
            response = await http.post("/files", files={"file": ("big.md", b"x" * 30_000_000)})
            assert error_of(response) == (413, "file_too_large", "big.md")
    assert list(app.incoming.iterdir()) == []


async def test_a_disconnect_cancels_the_request_in_the_service(app: V1) -> None:
    lifecycle = Lifecycle("Retriever")
    async with served(edge(app.app, lifecycle)) as url:
        client = ServiceClient("Retriever", url)
        async with served(edge(ServiceProxy(client))) as proxy_url:
            host, port = proxy_url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /files HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n")
            writer.write(b"content-type: multipart/form-data; boundary=b\r\n\r\n--b\r\n")
            writer.write(b'content-disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 600_000)
            await writer.drain()
            await until(lambda: app.incoming.exists() and len(list(app.incoming.iterdir())) == 1)
            writer.transport.abort()
            await until(lambda: lifecycle.in_flight == 0)
            assert list(app.incoming.iterdir()) == []
        await client.close()


async def test_a_truncated_chunked_upload_is_not_taken_for_complete() -> None:
    outcome: list[str] = []

    async def upstream(request: Request) -> Response:
        try:
            outcome.append((await request.body()).decode())
        except ClientDisconnect:
            outcome.append("cut off")
        return Response()

    async with served(app_of(upstream)) as url:
        client = ServiceClient("Retriever", url)
        async with served(ServiceProxy(client)) as proxy_url:  # without the edge middleware, which would cancel
            host, port = proxy_url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()
            await until(lambda: bool(outcome))
        await client.close()
    assert outcome == ["cut off"]


async def test_a_truncated_response_is_not_taken_for_complete() -> None:
    async def upstream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async with forwarding(upstream) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/v1/x")


async def test_openais_client_works_through_the_proxy(app: V1) -> None:
    deferred_app = DeferredApp()
    async with served(edge(Mount("/v1", deferred_app))) as url:
        client = ServiceClient("Retriever", url)
        transport = httpx2.ASGITransport(app=ServiceProxy(client))
        options: Any = {"http_client": httpx2.AsyncClient(transport=transport), "api_key": "x", "max_retries": 0}
        async with openai.AsyncOpenAI(base_url="http://rag.test/v1", **options) as rag:
            with pytest.raises(openai.InternalServerError) as caught:
                await rag.files.list()
            assert caught.value.code == "starting"
            deferred_app.app = app.app
            done = await rag.vector_stores.files.upload_and_poll(
                vector_store_id="default", file=("a/b.md", b"text"), poll_interval_ms=10
            )
            assert (done.status, (await rag.files.retrieve(done.id)).filename) == ("completed", "a/b.md")
            assert (await rag.files.content(done.id)).read() == b"text"
            with pytest.raises(openai.NotFoundError):
                await rag.vector_stores.retrieve("none")
        await client.close()
