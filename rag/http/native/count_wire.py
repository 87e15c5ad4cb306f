"""Requests between services for the length of a prompt. `rag.http.clients.remote_token_count` sends them."""

from __future__ import annotations

from typing import Literal

from rag.http.fail_fast import StrictModel
from rag.http.wire_model import WireModel
from rag.types import Message


class ChatTurn(StrictModel):
    role: Literal["system", "user", "assistant"]
    content: str


class CountTokensRequest(WireModel):
    """A conversation for the language model."""

    messages: list[ChatTurn]

    def parsed(self) -> list[Message]:
        return [Message(turn.role, turn.content) for turn in self.messages]
