"""A client of the stored responses, chat completions and conversations in the Retriever's catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rag.auth.caller import current_caller
from rag.http.clients.service_client import ServiceClient
from rag.library.answers.earlier_turns import EarlierTurns, TurnsQuery
from rag.types import JsonMapping, JsonObject

_TIMEOUT_S = 10.0


def has_quota() -> bool:
    """Whether a quota limits what the caller may store."""
    caller = current_caller.get()
    return caller is not None and any(subject.limits.max_kept_bytes is not None for subject in caller.subjects)


class RemoteResponses:
    """Stores responses and looks them up, on behalf of the current caller."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def keep(
        self, response: JsonMapping, input_items: Sequence[JsonMapping], conversation_id: str | None, *, is_kept: bool
    ) -> None:
        """Store a response, add its items to a conversation, or both in one transaction."""
        body: JsonObject = {"response": response, "input": list(input_items)}
        body |= {"conversation_id": conversation_id, "is_kept": is_kept}
        await self._client.call("/keep_response", body, timeout_s=_TIMEOUT_S)

    async def keep_completion(
        self, completion: JsonMapping, messages: Sequence[JsonMapping], metadata: Mapping[str, str]
    ) -> None:
        body: JsonObject = {"completion": completion, "messages": list(messages), "metadata": dict(metadata)}
        await self._client.call("/keep_completion", body, timeout_s=_TIMEOUT_S)

    async def check_quota(self) -> None:
        """Raises QuotaExceeded if the caller may store nothing more."""
        if has_quota():
            await self.earlier_turns(TurnsQuery(is_kept=True))

    async def earlier_turns(self, query: TurnsQuery) -> EarlierTurns:
        """Raises NotFound, which names the field of `POST /v1/responses`."""
        return EarlierTurns(**await self._client.call("/earlier_turns", asdict(query), timeout_s=_TIMEOUT_S))
