"""Between services: entries of the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import Field

from rag.auth.audit import AuditEvent
from rag.http.clients.service_client import ServiceClient
from rag.http.wire_model import WireModel

_TIMEOUT_S = 10.0


class AuditRequest(WireModel):
    events: list[AuditEvent] = Field(min_length=1)


class RemoteAuditLog:
    """The audit log in the Retriever's catalog."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def write(self, events: Sequence[AuditEvent]) -> None:
        """See `rag.http.auth.audit_trail.WriteEvents`. Raises RagError."""
        await self._client.call("/audit", {"events": [asdict(event) for event in events]}, timeout_s=_TIMEOUT_S)
