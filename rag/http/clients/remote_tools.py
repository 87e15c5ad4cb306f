"""A client of the Retriever for the tools that the language model calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rag.auth.caller import require
from rag.http.bodies.search_outputs import search_output_from_wire
from rag.http.clients.remote_token_count import count_tokens
from rag.http.clients.service_client import ServiceClient
from rag.types import JsonMapping, KnownPassage, SearchOutput

_CUT_TIMEOUT_S = 30.0


class RemoteTools:
    """Searches, truncates and counts for the tools of a response.

    Args:
        timeout_s: Time limit of a search.
    """

    def __init__(self, retriever: ServiceClient, timeout_s: float) -> None:
        self._retriever = retriever
        self._timeout_s = timeout_s

    async def search(
        self,
        queries: Sequence[str],
        options: JsonMapping,
        known: Sequence[KnownPassage],
        max_tokens: int,
        *,
        explain: bool = False,
    ) -> SearchOutput:
        """The passages found by all queries, as a text of at most `max_tokens`.

        Args:
            options: Fields of `SearchForModelRequest` that say where and how to search.

        Raises:
            InsufficientPermissions: the caller lacks the scope `ask`.
            RagError: whatever the Retriever refuses the request with.
        """
        require("ask")
        passages = [asdict(passage) for passage in known]
        body = {**options, "queries": list(queries), "known": passages, "max_tokens": max_tokens, "explain": explain}
        return search_output_from_wire(await self._retriever.call("/search_for_model", body, timeout_s=self._timeout_s))

    async def cut(self, text: str, max_tokens: int) -> tuple[str, int]:
        """The text, truncated to `max_tokens` with special tokens escaped, and its length in tokens."""
        body = {"text": text, "max_tokens": max_tokens}
        answer = await self._retriever.call("/cut_text", body, timeout_s=_CUT_TIMEOUT_S)
        return answer["text"], answer["tokens"]

    async def count(self, messages: Sequence[JsonMapping], template_values: JsonMapping) -> int:
        """The length of a conversation in tokens."""
        return await count_tokens(self._retriever, messages, template_values)
