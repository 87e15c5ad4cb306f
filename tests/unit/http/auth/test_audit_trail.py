"""What the edge notes for the audit log, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from rag.auth.audit import AuditEvent, safe_value
from rag.auth.caller import Caller
from rag.auth.key_secret import new_secret
from rag.errors import DependencyUnavailable
from rag.http.auth import audit_trail
from rag.http.auth.admission import CALLER
from rag.http.auth.audit_trail import AuditTrail, RequestOutcome
from rag.http.auth.route_table import RouteTable
from rag.http.published_document import public_operations

ROUTES = RouteTable(public_operations)
ACME = Caller("key_1", "acme", frozenset({"admin"}))


class Log:
    """An audit log that can fail."""

    def __init__(self) -> None:
        self.batches: list[list[AuditEvent]] = []
        self.failure: Exception | None = None
        self.attempts = 0

    async def write(self, events: Sequence[AuditEvent]) -> None:
        self.attempts += 1
        if self.failure is not None:
            raise self.failure
        self.batches.append(list(events))

    @property
    def events(self) -> list[AuditEvent]:
        return [event for batch in self.batches for event in batch]


def scope(method: str, path: str, caller: Caller | None = ACME, address: str = "192.0.2.7") -> dict[str, Any]:
    own = {} if caller is None else {CALLER: caller}
    return {"type": "http", "method": method, "path": path, "client": (address, 1234), **own}


def outcome(status: int = 200, code: str = "", object_id: str = "") -> RequestOutcome:
    return RequestOutcome(status, code, "request-1", object_id)


async def written(trail: AuditTrail) -> list[AuditEvent]:
    log = Log()
    trail.start(log.write)
    await trail.close()
    return log.events


async def test_an_entry_says_who_did_what_to_what_from_where_with_what_outcome() -> None:
    trail = AuditTrail(ROUTES)
    trail.note(scope("DELETE", "/v1/vector_stores/vs_1/files/file-2"), outcome())
    [event] = await written(trail)
    assert (event.key_id, event.tenant, event.action) == ("key_1", "acme", "remove_document")
    assert event.route == "DELETE /v1/vector_stores/{store}/files/{file_id}"
    assert event.targets == {"store": "vs_1", "file_id": "file-2"}
    assert (event.address, event.status, event.request_id, event.requests) == ("192.0.2.7", 200, "request-1", 1)
    assert event.entry_id.startswith("audit_")


async def test_what_was_created_is_named() -> None:
    trail = AuditTrail(ROUTES)
    trail.note(scope("POST", "/v1/vector_stores"), outcome(object_id="vs_9"))
    trail.note(scope("POST", "/ingest"), outcome(202, object_id="vsfb_1"))
    assert [(event.action, event.targets["id"]) for event in await written(trail)] == [
        ("create_vector_store", "vs_9"),
        ("ingest", "vsfb_1"),
    ]


CHANGES = {
    *("ingest", "create_file", "delete_file"),
    *("create_upload", "add_upload_part", "complete_upload", "cancel_upload"),
    *("create_vector_store", "update_vector_store", "delete_vector_store"),
    *("attach_file", "create_file_batch", "cancel_file_batch", "update_document", "remove_document"),
    *("cancel_job", "retry_job", "reindex_vector_store", "roll_back_vector_store", "forget_previous_index"),
    *("create_key", "list_keys", "get_key", "update_key", "revoke_key", "rotate_key", "list_audit_entries"),
    *("load_lora_adapter", "unload_lora_adapter"),
}


def test_changes_and_the_management_of_keys_are_told_from_questions_and_reads() -> None:
    changing = set()
    for route in public_operations():
        path = (route.mounted_at + route.path_format).replace("{", "").replace("}", "")
        if ROUTES.find(next(iter(route.methods - {"HEAD"})), path).changes:
            changing.add(route.operation.id)
    assert changing == CHANGES


@pytest.mark.parametrize(("everything", "expected"), [(False, []), (True, ["ask", "list_files"])])
async def test_questions_and_reads_are_noted_on_request(everything: bool, expected: list[str]) -> None:
    trail = AuditTrail(ROUTES, everything=everything)
    trail.note(scope("POST", "/ask"), outcome())
    trail.note(scope("GET", "/v1/files"), outcome())
    for open_path in ("/", "/ui/app.css", "/readyz", "/livez"):
        trail.note(scope("GET", open_path), outcome())
    assert [event.action for event in await written(trail)] == expected


async def test_every_refusal_is_noted() -> None:
    trail = AuditTrail(ROUTES)
    trail.note(scope("POST", "/ask", None), outcome(401, "invalid_api_key"))
    trail.note(scope("GET", "/v1/files"), outcome(403, "insufficient_permissions"))
    trail.note(scope("POST", "/ask"), outcome(429, "rate_limit_exceeded"))
    trail.note(scope("GET", "/nothing"), outcome(403, "forbidden"))
    trail.note(scope("POST", "/ask"), outcome(429, "overloaded"))  # too much load is nobody's fault
    trail.note(scope("GET", "/v1/files/file-1"), outcome(404, "file_not_found"))
    events = await written(trail)
    assert [(event.action, event.status, event.key_id) for event in events] == [
        ("ask", 401, ""),
        ("list_files", 403, "key_1"),
        ("ask", 429, "key_1"),
        ("", 403, "key_1"),
    ]
    assert events[-1].route == "GET unmatched"


async def test_equal_refusals_become_one_entry() -> None:
    """Otherwise anyone could fill the catalog."""
    trail = AuditTrail(ROUTES)
    for number in range(500):
        trail.note(scope("GET", f"/v1/files/file-{number}", None), outcome(401, "invalid_api_key"))
        trail.note(scope("POST", f"/v1/jobs/{number}/cancel", None), outcome(401, "invalid_api_key"))
    trail.note(scope("GET", "/v1/files", None, "192.0.2.8"), outcome(401, "invalid_api_key"))
    trail.note(scope("DELETE", "/v1/files/a"), outcome())
    trail.note(scope("DELETE", "/v1/files/b"), outcome())
    assert [event.requests for event in await written(trail)] == [1000, 1, 1, 1]


async def test_values_of_a_client_cannot_forge_entries_or_reveal_secrets() -> None:
    trail, secret = AuditTrail(ROUTES), new_secret()
    trail.note(scope("DELETE", "/v1/files/a\r\n2026 INFO forged\x1b[2J\u202e\udcff"), outcome(404))
    trail.note(scope("DELETE", f"/v1/keys/{secret}"), outcome(404))
    trail.note(scope("DELETE", "/v1/files/" + "x" * 250, address=""), outcome(404))
    forged, key, long = await written(trail)
    assert forged.targets == {"file_id": "a\\u000d\\u000a2026 INFO forged\\u001b[2J\\u202e\\udcff"}
    assert key.targets == {"key": secret[:10] + "..."}
    assert len(long.targets["file_id"]) == 200
    assert secret not in repr(key)


def test_a_secret_at_the_edge_of_what_is_kept_is_masked() -> None:
    secret = new_secret()
    assert secret[:20] not in safe_value("x" * 170 + secret)


@pytest.mark.parametrize("failure", [DependencyUnavailable("no answer"), KeyError("no answer")])
async def test_entries_wait_while_the_catalog_is_down(caplog: pytest.LogCaptureFixture, failure: Exception) -> None:
    log, trail = Log(), AuditTrail(ROUTES, interval_s=0)
    log.failure = failure
    trail.start(log.write)
    trail.note(scope("DELETE", "/v1/files/a"), outcome())
    while log.attempts < 3:
        await asyncio.sleep(0)
    trail.note(scope("DELETE", "/v1/files/b"), outcome())
    log.failure = None
    while not log.batches:
        await asyncio.sleep(0)
    await trail.close()
    assert sorted(event.targets["file_id"] for event in log.events) == ["a", "b"]
    [message] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "the audit log cannot be written, 1 entries wait: " in message
    assert "no answer" in message


async def test_what_cannot_be_written_is_logged_with_all_its_fields(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "_MAX_PENDING", 1)
    log, trail = Log(), AuditTrail(ROUTES)
    log.failure = DependencyUnavailable("down")
    trail.note(scope("DELETE", "/v1/files/a"), outcome())
    trail.note(scope("DELETE", "/v1/files/b"), outcome())
    trail.start(log.write)
    await trail.close()
    lost = [record.getMessage() for record in caplog.records if "not in the audit log" in record.getMessage()]
    assert [message.split(": ")[0] for message in lost] == [
        "not in the audit log, because too many entries are waiting",
        "not in the audit log, because the service is stopping",
    ]
    entries = [json.loads(message.split(": ", 1)[1]) for message in lost]
    assert [entry["targets"] for entry in entries] == [{"file_id": "b"}, {"file_id": "a"}]
    assert entries[0]["key_id"] == "key_1"
