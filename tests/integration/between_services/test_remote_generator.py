"""The remote language model: real HTTP on loopback, a fake engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import (
    ContextLengthExceeded,
    DependencyUnavailable,
    InvalidRequest,
    RagError,
)
from rag.http.clients.remote import RemoteGenerator
from rag.http.clients.service_client import ServiceClient
from rag.http.error_table import error_response
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.native.generate_wire import WriteRequest
from rag.http.native.llm_api import LlmApi
from rag.http.streaming.event_stream import Event, EventStream
from rag.ports import TokenStream
from rag.types import StreamEnd, TextDelta, Usage
from tests.fakes import FakeGenerator
from tests.support.servers.loopback import app_of, client_of, until

pytestmark = pytest.mark.integration


async def text_of(stream: TokenStream) -> tuple[str, StreamEnd | None]:
    text, end = "", None
    async for delta in stream:
        if isinstance(delta, TextDelta):
            text += delta.text
        elif isinstance(delta, StreamEnd):
            end = delta
    return text, end


def llm(generator: FakeGenerator) -> ASGIApp:
    """The LLM service with a fake engine."""
    api = LlmApi(generator, keep_alive_s=5, timeout_s=20, allowed_extra_args={"target_token"})

    async def handler(request: Request) -> Response:
        parsed = await WriteRequest.from_http_request(request, None)
        try:
            if parsed.refused is not None:
                raise parsed.refused
            return await api.generate(parsed)
        except RagError as error:
            return error_response(error)

    return ServiceMiddleware(app_of(handler), Lifecycle("LLM"), 10, {"*": 2**20})


async def test_a_prompt_is_sent_and_its_text_streamed_back() -> None:
    generator = FakeGenerator("naïve 日本 🙂 done")
    async with client_of(llm(generator)) as client:
        sampling = {"max_tokens": 9, "structured_outputs": {"json": {"type": "object"}}}
        async with RemoteGenerator(client).generate([1, 2, 3], sampling, "id") as stream:
            assert await text_of(stream) == ("naïve 日本 🙂 done", StreamEnd("stop", Usage(3, 4)))
    assert generator.requests[0][:2] == ([1, 2, 3], sampling)


async def test_only_allowed_extra_arguments_reach_the_engine() -> None:
    generator = FakeGenerator()
    async with client_of(llm(generator)) as client:
        remote = RemoteGenerator(client)
        async with remote.generate("a prompt", {"extra_args": {"target_token": 5}}, "id") as stream:
            await text_of(stream)
        with pytest.raises(InvalidRequest, match=r"kv_transfer_params.*RAG_LLM__ALLOWED_EXTRA_ARGS") as refused:
            async with remote.generate("a", {"extra_args": {"target_token": 5, "kv_transfer_params": {}}}, "id"):
                pass
    assert refused.value.param == "extra_args"
    assert [sampling for _, sampling, _ in generator.requests] == [{"extra_args": {"target_token": 5}}]


async def test_closing_the_stream_stops_the_engine() -> None:
    """docs/bentoml_issues.md#b5: also before the first token."""
    generator = FakeGenerator(start=asyncio.Event())
    async with client_of(llm(generator)) as client:
        async with RemoteGenerator(client).generate("a prompt", {}, "id"):
            assert generator.running == 1
        await until(lambda: generator.running == 0)
        assert generator.cancelled == 1


async def test_cancelling_before_acceptance_ends_the_request() -> None:
    generator = FakeGenerator(accepts=asyncio.Event())
    edge = llm(generator)
    open_requests = 0

    async def count_requests(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal open_requests
        open_requests += 1
        try:
            await edge(scope, receive, send)
        finally:
            open_requests -= 1

    async with client_of(count_requests) as client:

        async def enter() -> None:
            async with RemoteGenerator(client).generate("a prompt", {}, "id"):
                raise AssertionError("it was accepted")

        task = asyncio.create_task(enter())
        await until(lambda: open_requests == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: open_requests == 0)
    assert (generator.running, generator.requests) == (0, [])


async def test_an_engine_failure_in_mid_answer_is_raised() -> None:
    """docs/bentoml_issues.md#b3: BentoML ends such a stream as a normal one."""
    async with (
        client_of(llm(FakeGenerator("a b c", dies_after=2))) as client,
        RemoteGenerator(client).generate("a prompt", {}, "id") as stream,
    ):
        with pytest.raises(DependencyUnavailable, match="the engine died"):
            await text_of(stream)


async def test_an_error_event_is_raised_as_its_own_class() -> None:
    async def events() -> AsyncGenerator[Event, None]:
        yield "token", {"text": "a"}
        raise ContextLengthExceeded("too long")

    app = EventStream(events(), keep_alive_s=5, timeout_s=5)
    async with client_of(app) as client, RemoteGenerator(client).generate("a prompt", {}, "id") as stream:
        with pytest.raises(ContextLengthExceeded, match="too long"):
            await text_of(stream)


@contextlib.asynccontextmanager
async def raw_server(*chunks: bytes, pause_s: float = 0.0) -> AsyncIterator[str]:
    """A server that sends these bytes whatever the request, then closes the connection."""

    connection_closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause_s)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        connection_closed.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(connection_closed.wait(), 30)


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
TOKEN = b'event: token\ndata: {"text":"a"}\n\n'


@pytest.mark.parametrize("answer", [CHUNKED + b"%x\r\n" % len(TOKEN) + TOKEN + b"\r\n", UNTIL_CLOSED + TOKEN])
async def test_a_broken_connection_in_mid_answer_is_an_unavailable_dependency(answer: bytes) -> None:
    """docs/bentoml_issues.md#b2: a silently truncated answer is never taken for complete."""
    async with raw_server(answer) as url:
        client = ServiceClient("LLM", url)
        async with RemoteGenerator(client).generate("a prompt", {}, "id") as stream:
            assert await anext(stream) == TextDelta("a")
            with pytest.raises(DependencyUnavailable):
                await anext(stream)
        await client.close()


@pytest.mark.parametrize("size", [1, 7])
async def test_text_survives_any_chunking(size: int) -> None:
    """docs/bentoml_issues.md#b4: BentoML decodes chunk by chunk and loses characters that are split across chunks."""
    text = "naïve 日本 🙂"
    events = f"event: token\ndata: {json.dumps({'text': text}, ensure_ascii=False)}\n\n: keep-alive\n\n".encode()
    events += b'event: usage\ndata: {"prompt_tokens":1,"completion_tokens":2,"cached_tokens":0}\n\n'
    events += b'event: done\ndata: {"finish_reason":"length"}\n\n'
    chunks = [events[i : i + size] for i in range(0, len(events), size)]
    async with raw_server(UNTIL_CLOSED, *chunks, pause_s=0.0005) as url:
        client = ServiceClient("LLM", url)
        async with RemoteGenerator(client).generate("a prompt", {}, "id") as stream:
            assert await text_of(stream) == (text, StreamEnd("length", Usage(1, 2)))
        await client.close()
