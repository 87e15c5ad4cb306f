"""The last response of a WebSocket that was not kept, so that the next request on the connection can continue it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag.errors import InvalidRequest
from rag.http.v1.responses.request.input import as_items
from rag.types import JsonObject

_ENDED = ("response.completed", "response.incomplete")
_PREVIOUS = "previous_response_id"


@dataclass(frozen=True, slots=True)
class _Turn:
    """What is needed to continue a response without the catalog."""

    response_id: str
    previous_id: str | None
    """The kept response that it continues, directly or through others that are not kept."""
    items: list[Any]
    """All items since then, its output included."""


class SocketTurns:
    """One response is remembered: the last one, unless it was kept, belongs to a conversation, or failed."""

    def __init__(self) -> None:
        self._last: _Turn | None = None
        self._requested: JsonObject = {}
        """The request that is being answered, as it was sent to the route."""
        self._named_id: str | None = None
        """The previous response that the client named."""

    def request(self, body: JsonObject) -> JsonObject:
        """The request for the route: with the items of the remembered response, if it continues that.

        Raises:
            InvalidRequest: it continues that, and its own input is invalid.
        """
        named = body.get(_PREVIOUS)
        self._named_id = named if isinstance(named, str) else None
        last = self._last
        if last is not None and last.response_id == self._named_id:
            items = [*last.items, *_items(body)]
            body = {**body, _PREVIOUS: last.previous_id, "input": items}
        self._requested = body
        return body

    def failed(self) -> None:
        """The request was refused or its response failed: the remembered response cannot be continued any more."""
        self._last = None

    def sent(self, event: JsonObject) -> JsonObject:
        """The event as the client gets it. The end of a response is remembered."""
        response = event.get("response")
        if isinstance(response, dict):
            response = {**response, _PREVIOUS: self._named_id}
            event = {**event, "response": response}
        if event.get("type") in _ENDED and isinstance(response, dict):
            self._remember(response)
        elif event.get("type") in ("response.failed", "error"):
            self.failed()
        return event

    def _remember(self, response: JsonObject) -> None:
        body = self._requested
        if response.get("store") or body.get("conversation") is not None:
            self._last = None
            return
        items = [*_items(body), *response["output"]]
        self._last = _Turn(response["id"], body.get(_PREVIOUS), items)


def _items(body: JsonObject) -> list[Any]:
    """The items of a request. Raises InvalidRequest if there are none."""
    try:
        return as_items(body.get("input"))
    except ValueError as error:
        raise InvalidRequest(f"input: {error}", param="input") from None
