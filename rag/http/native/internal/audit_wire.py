"""Between services: entries of the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict, Field

from rag.auth.audit import AuditEvent
from rag.http.clients.service_client import ServiceClient
from rag.http.validation.wire_model import WireModel

_TIMEOUT_S = 10.0


class AuditEventIn(BaseModel):
    """An `AuditEvent` in a request. A strict model accepts a dataclass only as an instance, not as JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    entry_id: str
    at: float
    key_id: str
    tenant: str
    action: str
    route: str
    address: str
    status: int
    error_code: str
    request_id: str
    targets: dict[str, str]
    requests: int


class AuditRequest(WireModel):
    events: list[AuditEventIn] = Field(min_length=1)

    def parsed(self) -> list[AuditEvent]:
        return [AuditEvent(**event.model_dump()) for event in self.events]


class RemoteAuditLog:
    """The audit log in the Retriever's catalog."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def write(self, events: Sequence[AuditEvent]) -> None:
        """See `rag.http.auth.audit_trail.WriteEvents`. Raises RagError."""
        await self._client.call("/audit", {"events": [asdict(event) for event in events]}, timeout_s=_TIMEOUT_S)
