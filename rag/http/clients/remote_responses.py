"""The kept responses in the Retriever's catalog."""

from __future__ import annotations

from collections.abc import Sequence

from rag.http.clients.service_client import ServiceClient
from rag.library.responses import EarlierTurns
from rag.types import JsonMapping, JsonObject

_TIMEOUT_S = 10.0


class RemoteResponses:
    """Keeps responses and looks them up, as the caller of the current request."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def keep(self, response: JsonMapping, input_items: Sequence[JsonMapping]) -> None:
        body: JsonObject = {"response": response, "input": list(input_items)}
        await self._client.call("/keep_response", body, timeout_s=_TIMEOUT_S)

    async def earlier_turns(self, previous_id: str | None, item_ids: Sequence[str]) -> EarlierTurns:
        """Raises NotFound, which names the field of `POST /v1/responses`."""
        body: JsonObject = {"previous_response_id": previous_id, "items": list(item_ids)}
        return EarlierTurns(**await self._client.call("/earlier_turns", body, timeout_s=_TIMEOUT_S))
