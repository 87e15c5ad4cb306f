"""WebSocket mode of `/v1/responses`: each `response.create` on the connection is a request of its own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import httpx
from starlette.datastructures import Headers
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from rag.errors import InternalError, InvalidRequest, RagError
from rag.http.error_table import STATUS, error_body
from rag.http.in_process import InProcessTransport
from rag.http.middleware.request_id import accept_request_id
from rag.http.streaming.sse import EventParser
from rag.http.v1.responses.websocket.turns import SocketTurns
from rag.types import JsonMapping, JsonObject

logger = logging.getLogger("rag.http")

_PATH = "/v1/responses"
_CREATE = "response.create"
_FORWARDED_HEADERS = ("authorization", "host")
"""Of the handshake: each request is authenticated and checked again, so a key that is revoked stops working."""
_MAX_WAITING = 16
"""Messages that may wait while a response is generated."""
_MAX_S = 3600
"""Of a connection, the same as at OpenAI."""
_EXPIRED = f"a connection is closed after {_MAX_S // 60} minutes; open another to continue"
_GOING_AWAY, _POLICY_VIOLATION = 1001, 1008
"""Codes with which a connection is closed."""


@dataclass(slots=True)
class ResponseSocket:
    """One connection. Responses are generated one after the other; closing the connection stops the language model.

    The middleware has checked the handshake.
    """

    websocket: WebSocket
    _turns: SocketTurns = field(default_factory=SocketTurns)
    _messages: asyncio.Queue[str | bytes] = field(default_factory=lambda: asyncio.Queue(_MAX_WAITING))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        await self.websocket.accept()
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._answer_all())
        expiry = asyncio.ensure_future(self.sleep(_MAX_S))
        tasks = (reader, writer, expiry)
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if ended == {expiry}:
                await _cancel(writer)  # so that its events do not follow the error
                await self._expire()
        finally:
            for task in tasks:
                await _cancel(task)

    async def _expire(self) -> None:
        """End the connection as OpenAI does: with an error, which also ends a response that is being generated."""
        error = error_body(InvalidRequest(_EXPIRED), accept_request_id(None))
        error["error"]["code"] = "websocket_connection_limit_reached"
        with suppress(WebSocketDisconnect):
            await self._send(_error_event(STATUS[InvalidRequest], error))
            await self.websocket.close(_GOING_AWAY, _EXPIRED)

    async def _read(self) -> None:
        """Until the client closes the connection."""
        while True:
            message = await self.websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                self._messages.put_nowait(message.get("text") or message.get("bytes") or b"")
            except asyncio.QueueFull:
                await self.websocket.close(_POLICY_VIOLATION, f"more than {_MAX_WAITING} messages wait")
                return

    async def _answer_all(self) -> None:
        while True:
            message = await self._messages.get()
            try:
                async with aclosing(self._events(message)) as events:
                    async for event in events:
                        await self._send(event)
            except WebSocketDisconnect:
                return
            except Exception:  # the client must learn that the response has ended
                logger.exception("a response on a WebSocket failed")
                self._turns.failed()
                error = InternalError("an unexpected error occurred; the server's log has the details")
                await self._send(_error_event(STATUS[InternalError], error_body(error, accept_request_id(None))))

    async def _send(self, event: JsonObject) -> None:
        await self.websocket.send_text(json.dumps(event, separators=(",", ":")))

    async def _events(self, message: str | bytes) -> AsyncGenerator[JsonObject, None]:
        """The events of the response that a message asks for. They end with a final one, or with an error."""
        try:
            body = self._turns.request(_body(message))
        except RagError as error:
            self._turns.failed()
            yield _error_event(STATUS[type(error)], error_body(error, accept_request_id(None)))
            return
        async with (
            httpx.AsyncClient(
                transport=InProcessTransport(self._scope, is_part=False),
                base_url="http://localhost",
                headers=self._headers,
                timeout=None,
                trust_env=False,
            ) as http,
            http.stream("POST", _PATH, content=json.dumps(body).encode()) as response,
        ):
            if not response.is_success:
                self._turns.failed()
                yield _error_event(response.status_code, _json(await response.aread()))
                return
            parser = EventParser()
            async for chunk in response.aiter_bytes():
                for _, data in parser.feed(chunk):
                    yield self._turns.sent(json.loads(data))

    @property
    def _scope(self) -> Scope:
        outer = self.websocket.scope
        scheme = "https" if outer["scheme"] == "wss" else "http"
        return {**outer, "type": "http", "scheme": scheme, "root_path": outer.get("app_root_path", "")}

    @property
    def _headers(self) -> dict[str, str]:
        given = Headers(scope=self.websocket.scope)
        forwarded = {name: given[name] for name in _FORWARDED_HEADERS if name in given}
        return {**forwarded, "content-type": "application/json", "accept-encoding": "identity"}


async def response_socket(websocket: WebSocket) -> None:
    await ResponseSocket(websocket).run()


async def _cancel(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, WebSocketDisconnect):
        await task


def _body(message: str | bytes) -> JsonObject:
    """The body of the request. Raises InvalidRequest."""
    try:
        event = json.loads(message)
    except ValueError:
        raise InvalidRequest("the message is not JSON") from None
    if not isinstance(event, dict) or event.get("type") != _CREATE:
        raise InvalidRequest(f"type: must be {_CREATE}", param="type")
    body = {name: value for name, value in event.items() if name != "type"}
    if body.get("background"):
        message_ = "background: a response in the background has no use for a connection; use POST /v1/responses"
        raise InvalidRequest(message_, param="background")
    return {**body, "stream": True}


def _json(content: bytes) -> JsonMapping:
    try:
        found: JsonMapping = json.loads(content)
    except ValueError:
        return error_body(InternalError("the request was not answered"), accept_request_id(None))
    return found


def _error_event(status: int, body: JsonMapping) -> JsonObject:
    """OpenAI's event of a request that was refused. Its code for an unknown previous response is its own."""
    error = dict(body["error"])
    if status == 404 and error.get("param") == "previous_response_id":
        error["code"] = "previous_response_not_found"
    top = {name: error.get(name) for name in ("code", "message", "param")}
    return {"type": "error", "sequence_number": 0, **top, "status": status, "error": error}
