"""Entries of the audit log in responses."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from rag.auth.audit import AuditRecord


class AuditEntry(BaseModel):
    """A request that has ended, or several equal ones within about a second that were refused."""

    object: Literal["audit_entry"]
    id: str
    created_at: int
    key_id: str | None = Field(description="ID of the API key; null: there was none, or it is not known.")
    key_name: str
    tenant: str
    action: str = Field(description="ID of the operation in this document; empty: there is no such route.")
    route: str = Field(description="The method, and the path with its parameters in braces.")
    targets: dict[str, str] = Field(description="The IDs in the path, and `id`: of what was created.")
    address: str = Field(description="The client's network address.")
    status: int = Field(description="The response's status; 499: the client disconnected.")
    error_code: str
    request_id: str = Field(description="The X-Request-ID, which the lines of the log have, too.")
    requests: int = Field(description="How many equal requests were refused.")


def audit_entry(record: AuditRecord) -> AuditEntry:
    event = record.event
    return AuditEntry(
        object="audit_entry",
        id=event.entry_id,
        created_at=int(event.at),
        key_id=event.key_id or None,
        key_name=record.key_name,
        tenant=event.tenant,
        action=event.action,
        route=event.route,
        targets=dict(event.targets),
        address=event.address,
        status=event.status,
        error_code=event.error_code,
        request_id=event.request_id,
        requests=event.requests,
    )
