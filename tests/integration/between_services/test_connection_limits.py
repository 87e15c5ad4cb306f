"""Connections that send nothing, or headers that never end, are closed; more than the limit are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.http import auto

from rag.http.connection_limits import limit_connections

REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
HEADER_TIMEOUT_S = 0.3
IDLE_S = 1.5


async def answer(request: Request) -> PlainTextResponse:
    await request.body()
    await asyncio.sleep(2 * HEADER_TIMEOUT_S)  # longer than headers may take
    return PlainTextResponse("hello")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    before = auto.AutoHTTPProtocol
    limit_connections(header_timeout_s=HEADER_TIMEOUT_S, max_connections=3, idle_timeout_s=IDLE_S)
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running
        auto.AutoHTTPProtocol = before


async def response_to(port: int, *pieces: bytes) -> bytes:
    """What the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(20):
        received = await reader.read()
    writer.close()
    return received


async def test_an_idle_connection_stays_open_for_its_timeout(port: int) -> None:
    """uvicorn itself closes it after 5 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b"hello")
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.timeout(4.5):
        assert await reader.read() == b""
    assert loop.time() - started >= IDLE_S / 2
    writer.close()


@pytest.mark.parametrize("start", [b"", b"G", REQUEST[:-2], REQUEST[:-4] + b"\r\nx-long: "])
async def test_a_connection_without_complete_headers_is_closed(port: int, start: bytes) -> None:
    assert await response_to(port, start) == b""


async def test_an_answer_may_take_longer_than_headers(port: int) -> None:
    received = await response_to(port, REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"hello")


async def test_the_headers_of_a_second_request_have_a_deadline_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    async with asyncio.timeout(20):
        await reader.readuntil(b"hello")
        writer.write(REQUEST[:-2])
        assert await reader.read() == b""
    writer.close()


async def test_one_connection_too_many_is_refused(port: int) -> None:
    slow = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n"
    open_ones = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for _, writer in open_ones:
        writer.write(slow)
    received = await response_to(port)
    assert received.startswith(b"HTTP/1.1 503")
    assert b"retry-after" in received
    for _, writer in open_ones:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(20):
        while not (await response_to(port, REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))).startswith(
            b"HTTP/1.1 200"
        ):
            await asyncio.sleep(0.05)
