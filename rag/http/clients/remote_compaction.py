"""Compacts conversations in the Retriever, and opens what was compacted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.http.clients.service_client import ServiceClient
from rag.types import JsonMapping, JsonObject, Usage

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SealedCompaction:
    encrypted_content: str
    """The compacted conversation and the turns after it, encrypted."""
    items: Sequence[JsonObject]
    """The items that replace the conversation."""
    tokens: int
    """The length of the conversation that was compacted."""
    is_shorter: bool
    """Whether the compaction left anything out."""
    usage: Usage
    """Tokens used for the summary."""
    note: str = ""
    """What could not be done, and why."""


@dataclass(frozen=True, slots=True)
class WholeConversation:
    """A conversation that is to be compacted."""

    items: Sequence[JsonMapping]
    """OpenAI's items, oldest first."""
    context_tokens: int
    """The language model's context length."""
    last: Sequence[JsonMapping] = field(default_factory=tuple)
    """Turns after `items`, which stay unchanged."""
    max_tokens: int | None = None
    """The length that the conversation must not exceed; None: the context length."""
    instructions: str = ""


class RemoteCompaction:
    """Args:
    timeout_s: Time limit of a compaction.
    """

    def __init__(self, client: ServiceClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def compact(self, conversation: WholeConversation) -> SealedCompaction:
        body: JsonObject = {
            "items": list(conversation.items),
            "last": list(conversation.last),
            "context_tokens": conversation.context_tokens,
            "max_tokens": conversation.max_tokens,
            "instructions": conversation.instructions,
        }
        answer = await self._client.call("/compact", body, timeout_s=self._timeout_s)
        return SealedCompaction(**{**answer, "usage": Usage(**answer["usage"])})

    async def open(self, encrypted_content: str) -> list[JsonObject]:
        """Decrypt the items. Raises InvalidRequest if they were not encrypted for the caller."""
        body = {"encrypted_content": encrypted_content}
        answer = await self._client.call("/open_compaction", body, timeout_s=_TIMEOUT_S)
        items: list[JsonObject] = answer["items"]
        return items
