"""Requests between services about kept responses.

`rag.http.clients.remote_responses` sends the requests.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rag.http.wire_model import WireModel
from rag.records import NewResponse


class KeepResponseRequest(WireModel):
    """A response, and the input items that it answers."""

    response: dict[str, Any]
    input: list[dict[str, Any]]

    def parsed(self) -> NewResponse:
        body = {name: value for name, value in self.response.items() if name != "output"}
        previous_id = body["previous_response_id"]
        return NewResponse(body["id"], body, self.input, self.response["output"], previous_id)


class EarlierTurnsRequest(WireModel):
    """The earlier items that a request refers to by their ids."""

    previous_response_id: str | None = None
    items: list[str] = Field(default_factory=list)
