"""Counts tokens with the tokenizer in the Retriever."""

from __future__ import annotations

from collections.abc import Sequence

from rag.http.clients.service_client import ServiceClient
from rag.types import JsonMapping

_TIMEOUT_S = 30.0


async def count_tokens(retriever: ServiceClient, messages: Sequence[JsonMapping]) -> int:
    """The length of a conversation with the language model's chat template; an estimate if that is not known."""
    counted = await retriever.call("/count_tokens", {"messages": list(messages)}, timeout_s=_TIMEOUT_S)
    return int(counted["tokens"])
