"""One service calls another: real HTTP on loopback, no BentoML and no engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from aiohttp import web
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    ModelNotFound,
    Overloaded,
    RagError,
    Starting,
    VectorStoreNotFound,
)
from rag.http.dependencies import Dependencies
from rag.http.edge import Edge
from rag.http.embedder_api import EmbedderApi
from rag.http.error_table import error_response
from rag.http.event_stream import Event, EventStream
from rag.http.lifecycle import Lifecycle
from rag.http.llm_api import LlmApi
from rag.http.remote import RemoteEmbedder, RemoteEmbedders, RemoteGenerator
from rag.http.request_id import current_request_id
from rag.http.resource import Resource
from rag.http.service_client import ServiceClient
from rag.http.wire import EncodeRequest, GenerateRequest
from rag.ports import Embedders, Pieces
from rag.types import Finished, TextPiece, Usage
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeGenerator

pytestmark = pytest.mark.integration


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The URL of `app` on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


@contextlib.asynccontextmanager
async def client_of(app: ASGIApp, name: str = "LLM") -> AsyncIterator[ServiceClient]:
    async with served(app) as url:
        client = ServiceClient(name, url)
        try:
            yield client
        finally:
            await client.close()


def app_of(handler: Callable[[Request], Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await handler(Request(scope, receive)))(scope, receive, send)

    return app


def answering(response: Response) -> ASGIApp:
    async def handler(request: Request) -> Response:
        await request.body()
        return response

    return app_of(handler)


async def failure_of(app: ASGIApp, *, timeout_s: float = 5) -> RagError:
    async with client_of(app) as client:
        with pytest.raises(RagError) as caught:
            await client.call("/x", {}, timeout_s=timeout_s)
    return caught.value


class Endless:
    """A stream of bytes without an end that tells how many are open."""

    def __init__(self) -> None:
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/call":
            return await JSONResponse({"ok": True})(scope, receive, send)
        stream = EventStream(self._events(), keep_alive_s=5, timeout_s=60)
        return await Edge(stream, Lifecycle("Test"), 1000, {"*": 1000})(scope, receive, send)

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


async def test_a_call_sends_json_and_the_id_of_the_request_in_work() -> None:
    async def handler(request: Request) -> Response:
        return JSONResponse({"body": await request.json(), "id": request.headers.get("x-request-id")})

    async with client_of(app_of(handler)) as client:
        assert await client.call("/x", {"a": "ä"}, timeout_s=5) == {"body": {"a": "ä"}, "id": None}
        token = current_request_id.set("abc")
        assert (await client.call("/x", {}, timeout_s=5))["id"] == "abc"
        current_request_id.reset(token)


async def test_an_error_of_the_other_side_is_raised_here_as_itself() -> None:
    """Trap B7: BentoML's own client hides it."""
    error = await failure_of(
        answering(error_response(VectorStoreNotFound("no such store", param="vector_store"), "id"))
    )
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
async def test_an_answer_in_a_foreign_shape_is_an_error_too(response: Response, expected: type[RagError]) -> None:
    assert type(await failure_of(answering(response))) is expected


async def test_a_connection_that_is_refused_is_an_unavailable_dependency() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    client = ServiceClient("LLM", f"tcp://127.0.0.1:{port}")
    with pytest.raises(DependencyUnavailable, match="LLM does not answer"):
        await client.call("/x", {}, timeout_s=5)
    with pytest.raises(DependencyUnavailable):
        await client.stream("/x", {})
    await client.close()


async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_an_answer_that_is_late_is_a_deadline_exceeded() -> None:
    error = await failure_of(hanging, timeout_s=0.1)
    assert (type(error), error.message) == (DeadlineExceeded, "LLM did not answer within 0.1 s")


async def test_a_call_that_is_forwarded_gives_any_status_as_it_is() -> None:
    async def handler(request: Request) -> Response:
        said = {"path": request.scope["raw_path"].decode(), "body": (await request.body()).decode()}
        return JSONResponse(said, status_code=418, headers={"x-odd": "1"})

    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async with (
        client_of(app_of(handler)) as client,
        client.forward("PUT", "/a%2Fb?c=%20", {"x-a": "b"}, body()) as response,
    ):
        assert (response.status, response.headers["x-odd"]) == (418, "1")
        assert await response.json() == {"path": "/a%2Fb", "body": "ab"}


async def test_nobody_to_forward_to_is_an_unavailable_dependency() -> None:
    client = ServiceClient("LLM", "http://127.0.0.1:9")
    with pytest.raises(DependencyUnavailable):
        async with client.forward("GET", "/x", {}, None):
            pass
    await client.close()


# Streams


async def until(condition: Callable[[], bool], timeout_s: float = 1) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def test_closing_a_stream_ends_the_work_on_the_other_side() -> None:
    """Traps B2 and B5: behind BentoML's proxy the inner generation runs on."""
    app = Endless()
    async with client_of(app) as client:
        stream = await client.stream("/stream", {})
        got = b""
        while b"event: token" not in got:
            got += await anext(stream)
        assert app.open == 1
        await stream.aclose()
        await until(lambda: app.open == 0)


async def test_a_refused_stream_is_an_error_before_its_first_byte() -> None:
    async with client_of(answering(error_response(ContextLengthExceeded("too long"), "id"))) as client:
        with pytest.raises(ContextLengthExceeded):
            await client.stream("/generate", {})


async def test_calls_do_not_disturb_streams() -> None:
    """Trap B1: BentoML's client replaces its session every 100 calls, and closes the old one with 32 streams in it."""
    app = Endless()

    async def numbers(stream: AsyncGenerator[bytes, None]) -> list[int]:
        found: list[int] = []
        async for piece in stream:
            found += [int(json.loads(line[6:])["text"]) for line in piece.splitlines() if line.startswith(b"data: ")]
            if app.open == 0 or len(found) >= 30:
                break
        await stream.aclose()
        return found

    async with client_of(app) as client:
        reading = [asyncio.create_task(numbers(await client.stream("/stream", {}))) for _ in range(32)]
        await until(lambda: app.open == 32, 5)
        for _ in range(3):
            answers = await asyncio.gather(*(client.call("/call", {}, timeout_s=10) for _ in range(100)))
            assert answers == [{"ok": True}] * 100
        found = await asyncio.gather(*reading)
    assert all(len(got) >= 30 and got == list(range(len(got))) for got in found)


# The language model behind its port


async def text_of(pieces: Pieces) -> tuple[str, Finished | None]:
    text, finished = "", None
    async for piece in pieces:
        if isinstance(piece, TextPiece):
            text += piece.text
        else:
            finished = piece
    return text, finished


def llm(generator: FakeGenerator) -> ASGIApp:
    """The LLM service with a fake engine."""
    api = LlmApi(generator, keep_alive_s=5, timeout_s=20)

    async def handler(request: Request) -> Response:
        parsed = await GenerateRequest.from_http_request(request, None)
        try:
            if parsed.refused is not None:
                raise parsed.refused
            return await api.generate(parsed)
        except RagError as error:
            return error_response(error)

    return Edge(app_of(handler), Lifecycle("LLM"), 10, {"*": 2**20})


async def test_a_prompt_goes_there_and_text_comes_back() -> None:
    generator = FakeGenerator("naïve 日本 🙂 done")
    async with client_of(llm(generator)) as client:
        sampling = {"max_tokens": 9, "structured_outputs": {"json": {"type": "object"}}}
        pieces = await RemoteGenerator(client).generate([1, 2, 3], sampling, "id")
        assert await text_of(pieces) == ("naïve 日本 🙂 done", Finished("stop", Usage(3, 4)))
    assert generator.requests[0][:2] == ([1, 2, 3], sampling)


async def test_closing_the_pieces_stops_the_engine() -> None:
    """Trap B5: also before the first token."""
    generator = FakeGenerator(start=asyncio.Event())
    async with client_of(llm(generator)) as client:
        pieces = await RemoteGenerator(client).generate("a prompt", {}, "id")
        assert generator.running == 1
        await pieces.aclose()
        await until(lambda: generator.running == 0)
        assert generator.cancelled == 1


async def test_an_engine_that_dies_in_mid_answer_is_its_own_error_here() -> None:
    """Trap B3: BentoML ends such a stream as a normal one."""
    async with client_of(llm(FakeGenerator("a b c", dies_after=2))) as client:
        pieces = await RemoteGenerator(client).generate("a prompt", {}, "id")
        with pytest.raises(DependencyUnavailable, match="the engine died"):
            await text_of(pieces)


async def test_an_error_event_is_raised_as_what_it_is() -> None:
    async def events() -> AsyncGenerator[Event, None]:
        yield "token", {"text": "a"}
        raise ContextLengthExceeded("too long")

    app = EventStream(events(), keep_alive_s=5, timeout_s=5)
    async with client_of(app) as client:
        pieces = await RemoteGenerator(client).generate("a prompt", {}, "id")
        with pytest.raises(ContextLengthExceeded, match="too long"):
            await text_of(pieces)


@contextlib.asynccontextmanager
async def raw_server(*chunks: bytes, pause_s: float = 0.0) -> AsyncIterator[str]:
    """Sends these bytes and closes the connection, whatever it was asked."""

    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause_s)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(gone.wait(), 1)


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
TOKEN = b'event: token\ndata: {"text":"a"}\n\n'


@pytest.mark.parametrize("answer", [CHUNKED + b"%x\r\n" % len(TOKEN) + TOKEN + b"\r\n", UNTIL_CLOSED + TOKEN])
async def test_a_connection_that_dies_in_mid_answer_is_an_unavailable_dependency(answer: bytes) -> None:
    """Trap B2: an answer that is cut off silently is never taken for a whole one."""
    async with raw_server(answer) as url:
        client = ServiceClient("LLM", url)
        pieces = await RemoteGenerator(client).generate("a prompt", {}, "id")
        assert await anext(pieces) == TextPiece("a")
        with pytest.raises(DependencyUnavailable):
            await anext(pieces)
        await client.close()


@pytest.mark.parametrize("size", [1, 7])
async def test_text_survives_any_cut(size: int) -> None:
    """Trap B4: BentoML decodes chunk by chunk, and a character that is cut in two is lost."""
    text = "naïve 日本 🙂"
    events = f"event: token\ndata: {json.dumps({'text': text}, ensure_ascii=False)}\n\n: keep-alive\n\n".encode()
    events += b'event: usage\ndata: {"prompt_tokens":1,"completion_tokens":2,"cached_tokens":0}\n\n'
    events += b'event: done\ndata: {"finish_reason":"length"}\n\n'
    cuts = [events[i : i + size] for i in range(0, len(events), size)]
    async with raw_server(UNTIL_CLOSED, *cuts, pause_s=0.0005) as url:
        client = ServiceClient("LLM", url)
        pieces = await RemoteGenerator(client).generate("a prompt", {}, "id")
        assert await text_of(pieces) == (text, Finished("length", Usage(1, 2)))
        await client.close()


# The encoder behind its port


async def embedder_app() -> ASGIApp:
    async def load() -> Embedders:
        return FakeEmbedders(FakeEmbedder(dimensions=16), {"other": 8})

    api = EmbedderApi(Resource("the encoder", load))
    api.embedders.start()
    life = Lifecycle("Embedder")
    life.on_probe(api.ready)

    async def handler(request: Request) -> Response:
        try:
            return await api.encode(await EncodeRequest.from_http_request(request, None))
        except RagError as error:
            return error_response(error)

    return Edge(app_of(handler), life, 10, {"*": 2**20})


async def test_vectors_come_back_bit_by_bit() -> None:
    async with client_of(await embedder_app(), "Embedder") as client:
        remote, texts = RemoteEmbedder(client), ["one", "two words", "日本"]
        await remote.connect()
        assert (remote.model_name, remote.dimensions) == ("fake-embedder", 16)
        for kind in ("query", "passage"):
            got = await remote.encode(texts, kind)
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, FakeEmbedder(dimensions=16).vectors(texts))


async def test_another_model_is_asked_for_by_its_name() -> None:
    async with client_of(await embedder_app(), "Embedder") as client:
        remote = RemoteEmbedders(client)
        await remote.connect()
        assert await remote.named("fake-embedder") is remote.default
        other = await remote.named("other")
        assert (other.model_name, other.dimensions) == ("other", 8)
        assert (await other.encode(["one"], "passage")).shape == (1, 8)
        with pytest.raises(ModelNotFound):
            await remote.named("none")


async def test_an_encoder_that_was_not_asked_yet_is_starting() -> None:
    with pytest.raises(Starting):
        _ = RemoteEmbedder(ServiceClient("Embedder", "http://127.0.0.1:9")).dimensions


# Readiness of what a service depends on


class Impatient(ServiceClient):
    async def ready(self, timeout_s: float = 0.1) -> Mapping[str, Any]:
        return await super().ready(timeout_s)


class Changing:
    """A service whose readiness is set by the test; `None` hangs."""

    def __init__(self, response: Response | None = None) -> None:
        self.response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (hanging if self.response is None else self.response)(scope, receive, send)


READY = JSONResponse({"status": "ready", "context_tokens": 99})


@contextlib.asynccontextmanager
async def depending_on(app: ASGIApp, *, polled: bool = True) -> AsyncIterator[Dependencies]:
    async with served(app) as url:
        dependencies = Dependencies({"LLM": Impatient("LLM", url)}, ready_message="ready")
        if polled:
            dependencies.start()
        try:
            yield dependencies
        finally:
            await dependencies.close()


def state(dependencies: Dependencies) -> str:
    try:
        return str(dependencies.require("LLM")["status"])
    except RagError as error:
        return error.code


async def test_a_dependency_is_starting_then_ready_then_not() -> None:
    app = Changing(error_response(Starting("the language model is loading")))
    async with depending_on(app) as dependencies:
        assert state(dependencies) == "starting"
        app.response = READY
        await until(lambda: state(dependencies) == "ready", 3)
        assert (await dependencies.ready())["services"]["LLM"]["context_tokens"] == 99
        app.response = error_response(DependencyUnavailable("the engine stopped"))
        await until(lambda: state(dependencies) == "dependency_unavailable", 3)


async def test_a_dependency_that_hangs_does_not_hang_readiness() -> None:
    """Trap B19: BentoML's own readiness waits for 300 s."""
    app = Changing(None)
    async with depending_on(app, polled=False) as dependencies:
        with pytest.raises(Starting, match="LLM is starting"):
            await asyncio.wait_for(dependencies.ready(), 1)
        app.response = READY
        await asyncio.sleep(0.35)
        await dependencies.ready()
        app.response = None
        await asyncio.sleep(0.35)
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(dependencies.ready(), 1)


async def test_readiness_that_is_asked_often_asks_the_dependency_seldom() -> None:
    asked = 0

    async def handler(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return READY

    async with depending_on(app_of(handler), polled=False) as dependencies:
        await asyncio.gather(*(dependencies.ready() for _ in range(50)))
    assert asked == 1


async def test_a_lease_is_held_until_it_is_let_go() -> None:
    """Trap B6."""
    life = Lifecycle("LLM")
    async with depending_on(Edge(READY, life, 10, {"*": 1000}), polled=False) as dependencies:
        holding = asyncio.create_task(dependencies.hold())
        await until(lambda: life.in_flight == 1)
        holding.cancel()
        await until(lambda: life.in_flight == 0)


async def test_a_lease_on_what_is_gone_is_no_error() -> None:
    dependencies = Dependencies({"LLM": ServiceClient("LLM", "http://127.0.0.1:9")})
    await asyncio.wait_for(dependencies.hold(), 2)
    await dependencies.close()


async def test_a_socket_outlives_its_folder(tmp_path: Path) -> None:
    """Trap B6: BentoML's supervisor removes the sockets' folder before the requests that need it have ended."""
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
