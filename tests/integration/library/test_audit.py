"""The audit log over both databases."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rag.auth.audit import AuditEvent, AuditFilter, safe_value
from rag.auth.key import NewKey
from rag.library.audit import AuditLog
from rag.library.keys import KeyRegistry
from rag.records import Cursor
from tests.support.library_harness import ALL, LibraryHarness

pytestmark = pytest.mark.integration


def event(number: int, **fields: Any) -> AuditEvent:
    values = {"at": time.time() + number, "key_id": "", "tenant": "acme", "action": "ingest", "route": "POST /ingest"}
    return AuditEvent(f"audit_{number}", **{**values, "address": "192.0.2.7", "status": 202, **fields})


def test_entries_are_stored_as_they_were_noted(harness: LibraryHarness) -> None:
    log = AuditLog(harness.database)
    key = KeyRegistry(harness.database).create(NewKey("clerk", ["ingest"])).record
    targets = {"store": safe_value("a\0b\nc\udcff"), "id": "vsfb_1"}
    events = [event(1, key_id=key.key_id, targets=targets, request_id="r"), event(2, requests=500, error_code="x")]
    log.append(events)
    log.append(events)
    entries = log.page(ALL, AuditFilter()).rows
    assert [entry.event for entry in entries] == events
    assert [entry.key_name for entry in entries] == ["clerk", ""]


def test_entries_are_filtered_and_paged(harness: LibraryHarness) -> None:
    log, now = AuditLog(harness.database), time.time()
    log.append([event(number, at=now + number, tenant=f"t{number % 2}") for number in range(6)])

    def numbers(cursor: Cursor, **wanted: Any) -> list[str]:
        return [entry.event.entry_id[-1] for entry in log.page(cursor, AuditFilter(**wanted)).rows]

    assert numbers(Cursor(2, after="audit_4"), tenant="t0") == ["2", "0"]
    assert numbers(ALL, since=now + 1, until=now + 4) == ["1", "2", "3"]
    assert numbers(ALL, action="delete_file") == numbers(ALL, key_id="key_1") == []
