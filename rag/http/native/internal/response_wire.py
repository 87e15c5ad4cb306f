"""Requests between services about kept responses, chat completions and conversations.

`rag.http.clients.remote_responses` sends the requests.
"""

from __future__ import annotations

from pydantic import Field

from rag.http.validation.wire_model import WireModel
from rag.library.answers.earlier_turns import TurnsQuery
from rag.records import NewCompletion, NewResponse
from rag.types import JsonObject


class KeepResponseRequest(WireModel):
    """A response, and the input items that it answers."""

    response: JsonObject
    input: list[JsonObject]
    conversation_id: str | None = None
    is_kept: bool = True

    def parsed(self) -> NewResponse:
        body = {name: value for name, value in self.response.items() if name != "output"}
        output, previous_id = self.response["output"], body["previous_response_id"]
        return NewResponse(body["id"], body, self.input, output, previous_id, self.conversation_id, self.is_kept)


class KeepCompletionRequest(WireModel):
    """A chat completion, and the messages that it answers."""

    completion: JsonObject
    messages: list[JsonObject]
    metadata: dict[str, str]

    def parsed(self) -> NewCompletion:
        body = self.completion
        return NewCompletion(body["id"], body["model"], body, self.messages, self.metadata)


class EarlierTurnsRequest(WireModel):
    """The earlier items that a request refers to by ids."""

    previous_id: str | None = None
    conversation_id: str | None = None
    item_ids: list[str] = Field(default_factory=list)
    added: int = 0
    is_kept: bool = False

    def parsed(self) -> TurnsQuery:
        return TurnsQuery(self.previous_id, self.conversation_id, self.item_ids, self.added, self.is_kept)
