"""The response of a service to one request."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from rag.errors import RagError
from rag.http.error_table import OURS, error_for_status, error_response
from rag.http.headers.inner_headers import OBJECT_ID, USED_TOKENS
from rag.http.headers.used_tokens import UsedTokens
from rag.http.middleware.request_id import HEADER

_PASSED_THROUGH_HEADERS = ("allow",)
"""Headers that remain when an error response of BentoML is replaced."""


class ResponseSender:
    """Sends the response: adds the request id, and replaces error responses that are not this project's.

    Args:
        used: What the request uses, which an inner service reports to the edge; None: this is the edge.
    """

    def __init__(self, send: Send, path: str, request_id: str, used: UsedTokens | None) -> None:
        self._send = send
        self._path = path
        self._used = used
        self.request_id = request_id
        self.headers: dict[str, str] = {}
        """Added to the response."""
        self.status = 0
        self.error_code = ""
        """The code of an error response."""
        self.object_id = ""
        """The id of the object that the request created or changed."""
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.status:
                await self._start(message)
        elif not self._is_replaced:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        status = message["status"]
        if status >= 400 and OURS not in headers:
            kept = {name: headers[name] for name in _PASSED_THROUGH_HEADERS if name in headers}
            await self.fail(error_for_status(status, self._path, kept.get("allow", "")), kept)
            return
        self.status = status
        self.error_code = headers.get(OURS, "")
        self.object_id = headers.get(OBJECT_ID, "")
        if self._used is None:
            del headers[OBJECT_ID]
        elif self._used.count:
            headers[USED_TOKENS] = str(self._used.count)
        headers.update({**self.headers, HEADER: self.request_id})
        await self._send({**message, "headers": headers.raw})

    async def fail(self, error: RagError, headers: Mapping[str, str] | None = None) -> None:
        """Respond with `error`, unless a response has started."""
        if self.status:
            return
        self._is_replaced = True
        self.error_code = error.code
        response = error_response(error, self.request_id)
        response.headers.update({**(headers or {}), **self.headers, HEADER: self.request_id})
        self.status = response.status_code
        await self._send({"type": "http.response.start", "status": self.status, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})

    async def close(self) -> None:
        """End the response to a client that has disconnected, since BentoML's timeout waits for a first message."""
        if not self.status:
            self.status = 499
            await self._send({"type": "http.response.start", "status": 499, "headers": []})
        if not self._is_replaced:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
