"""Counts tokens with the tokenizer in the Retriever."""

from __future__ import annotations

from collections.abc import Sequence

from rag.http.clients.service_client import ServiceClient
from rag.types import REASONING, JsonMapping

_TIMEOUT_S = 30.0


async def count_tokens(retriever: ServiceClient, messages: Sequence[JsonMapping], template_values: JsonMapping) -> int:
    """The length of a conversation in tokens, rendered with the language model's chat template; estimated if it is
    unknown.
    """
    turns = [{name: value for name, value in turn.items() if name != REASONING} for turn in messages]
    body = {"messages": turns, "template_values": dict(template_values)}
    counted = await retriever.call("/count_tokens", body, timeout_s=_TIMEOUT_S)
    return int(counted["tokens"])
