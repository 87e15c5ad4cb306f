"""Audit events on their way between the services."""

from __future__ import annotations

import json
from dataclasses import asdict

from rag.auth.audit import AuditEvent
from rag.http.native.internal.audit_wire import AuditRequest

EVENT = AuditEvent("audit_1", 1.5, "key_1", "acme", "delete_file", "DELETE /v1/files/{file_id}", "192.0.2.1", 200,
                   targets={"file_id": "file-1"}, requests=2)  # fmt: skip


def test_every_field_of_an_event_survives() -> None:
    body = json.loads(json.dumps({"events": [asdict(EVENT)]}))
    assert AuditRequest.model_validate(body).parsed() == [EVENT]
