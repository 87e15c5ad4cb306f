"""Requests between services about compacted conversations. `rag.http.clients.remote_compaction` sends them."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from rag.http.validation.wire_model import WireModel
from rag.retrieve.compaction.compactor import Compaction, CompactionRequest
from rag.types import JsonObject


class CompactRequest(WireModel):
    """A conversation that is to be compacted, as OpenAI's items."""

    items: list[JsonObject]
    last: list[JsonObject] = Field(default_factory=list, description="Turns after it, which stay as they are.")
    context_tokens: int
    max_tokens: int | None = None
    instructions: str = ""

    def parsed(self) -> CompactionRequest:
        return CompactionRequest(self.items, self.context_tokens, self.max_tokens, self.instructions)


class OpenCompactionRequest(WireModel):
    """The content of a compaction item."""

    encrypted_content: str


def compaction_to_wire(compaction: Compaction, sealed: str) -> JsonObject:
    return {**asdict(compaction), "encrypted_content": sealed}
