"""The limit of open WebSockets."""

from __future__ import annotations

import json

import pytest
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from rag.auth.caller import Caller
from rag.errors import Overloaded
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.open_websockets import OpenWebSockets
from rag.http.middleware.service_middleware import ServiceMiddleware
from tests.support.servers.loopback import served, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")


async def test_a_handshake_above_the_limit_is_refused_until_one_is_closed() -> None:
    ended = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal ended
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        async for _ in socket.iter_text():
            pass
        ended += 1

    middleware = ServiceMiddleware(app, Lifecycle("RAG", is_edge=True), 100, {"*": 100}, max_websockets=2)
    async with served(middleware) as http_url:
        url = http_url.replace("http://", "ws://") + "/v1/responses"
        async with connect(url):
            async with connect(url):
                with pytest.raises(InvalidStatus) as refused:
                    async with connect(url):
                        pass
                response = refused.value.response
                assert (response.status_code, response.headers["retry-after"]) == (429, "1")
                error = json.loads(response.body)["error"]
                assert (error["code"], "2 of your WebSockets" in error["message"]) == ("overloaded", True)
            await until(lambda: ended == 1)
            async with connect(url):
                pass
        await until(lambda: ended == 3)


def test_each_caller_has_its_own_limit() -> None:
    one, other = (Caller(key_id, "acme", scopes=frozenset()) for key_id in ("key_1", "key_2"))
    sockets = OpenWebSockets(1)
    with sockets.opened_by(one), sockets.opened_by(other):
        with pytest.raises(Overloaded), sockets.opened_by(one):
            pass
        with pytest.raises(Overloaded), sockets.opened_by(other):
            pass
    with sockets.opened_by(one):
        pass
