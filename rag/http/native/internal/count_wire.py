"""Requests between services for the length of a prompt. `rag.http.clients.remote_token_count` sends them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rag.http.fields.fail_fast import StrictModel
from rag.http.validation.wire_model import WireModel
from rag.types import Message


class ChatTurn(StrictModel):
    role: Literal["system", "user", "assistant"]
    content: str


class CountTokensRequest(WireModel):
    """A conversation for the language model."""

    messages: list[ChatTurn]
    template_values: dict[str, Any] = Field(
        default_factory=dict, description="Additional variables of the language model's chat template."
    )

    def parsed(self) -> list[Message]:
        return [Message(turn.role, turn.content) for turn in self.messages]
