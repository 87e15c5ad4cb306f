"""A client of the queue of background responses, which is in the Retriever's catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rag.auth.caller import caller_to_header, queueing_caller
from rag.http.clients.service_client import ServiceClient
from rag.http.middleware.request_id import current_request_id
from rag.records import LeasedResponse, ResponseEvent, WrittenPart
from rag.types import JsonMapping, JsonObject

_TIMEOUT_S = 10.0


class RemoteBackground:
    """Queues background responses for the current caller; leases queued ones and writes their results."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def enqueue(
        self,
        response: JsonMapping,
        input_items: Sequence[JsonMapping],
        request: JsonMapping,
        events: Sequence[ResponseEvent] | None,
    ) -> None:
        """See `rag.library.answers.background.BackgroundRegistry.enqueue`. `events`: None if they are not kept."""
        body: JsonObject = {"response": response, "input": list(input_items), "request": request}
        body |= {"caller": caller_to_header(queueing_caller()), "request_id": current_request_id.get()}
        body["events"] = None if events is None else list(events)
        await self._client.call("/queue_response", body, timeout_s=_TIMEOUT_S)

    async def lease(self) -> LeasedResponse | None:
        """See `rag.library.answers.background.BackgroundRegistry.lease`."""
        found = (await self._client.call("/lease_response", {}, timeout_s=_TIMEOUT_S))["leased"]
        return None if found is None else LeasedResponse(**found)

    async def write(self, part: WrittenPart) -> bool:
        """See `rag.library.answers.background.BackgroundRegistry.write`."""
        answer = await self._client.call("/write_response", asdict(part), timeout_s=_TIMEOUT_S)
        return bool(answer["written"])
