"""Deadlines and a limit for connections, before there is a request (docs/bentoml_issues.md#b26)."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_log = logging.getLogger("rag.http")
_TOO_MANY = json.dumps(
    {
        "error": {
            "message": "too many connections are open; try again soon",
            "type": "rate_limit_error",
            "param": None,
            "code": "overloaded",
        }
    }
).encode()


def limit_connections(*, header_timeout_s: float, max_connections: int, idle_timeout_s: float) -> None:
    """Make uvicorn close connections that send no complete headers in time, and refuse more than `max_connections`.

    A connection is also closed if it sends no further request within `idle_timeout_s`.

    Must be called before uvicorn loads its configuration: when the service's module is imported.
    """

    class _Limited(LimitedProtocol):
        _header_timeout_s = header_timeout_s
        _max_connections = max_connections
        _idle_timeout_s = idle_timeout_s

    auto.AutoHTTPProtocol = _Limited


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for the headers of each request, from the connection or their first byte."""

    _header_timeout_s: float
    _max_connections: int
    _idle_timeout_s: float
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.timeout_keep_alive = self._idle_timeout_s  # type: ignore[assignment]
        if len(self.connections) > self._max_connections:
            _log.warning("a connection was refused: %d are open", self._max_connections)
            self._refuse()
        else:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._expect_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._forget_deadline()
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self._header_timeout_s, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse(self) -> None:
        head = (
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
            f"connection: close\r\ncontent-length: {len(_TOO_MANY)}\r\n\r\n"
        )
        self.transport.write(head.encode() + _TOO_MANY)
        self.transport.close()
