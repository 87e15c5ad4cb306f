"""`/v1/audit`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rag.auth.audit import AuditEvent
from rag.auth.key import NewKey
from rag.library.audit import AuditLog
from rag.library.janitor import Janitor
from rag.library.keys import KeyRegistry
from tests.support.v1.v1_client import V1, error_of

DAY_S = 86_400
START = int(time.time()) - 1000


def event(number: int, **fields: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "at": float(START + number),
        "key_id": "key_1",
        "tenant": "acme",
        "action": "delete_file",
        "route": "DELETE /v1/files/{file_id}",
        "address": "192.0.2.7",
        "status": 200,
        "targets": {"file_id": f"file-{number}"},
    }
    return AuditEvent(f"audit_{number}", **{**values, **fields})


async def get(app: V1, **query: Any) -> Any:
    async with app.http() as http:
        return await http.get("/audit", params=query)


async def ids(app: V1, **query: Any) -> list[str]:
    return [entry["id"] for entry in (await get(app, **query)).json()["data"]]


async def test_an_entry_has_the_name_of_its_key(app: V1) -> None:
    key = KeyRegistry(app.harness.database).create(NewKey("search page", ["admin"])).record
    AuditLog(app.harness.database).append([event(1, key_id=key.key_id, error_code="x", request_id="r", status=404)])
    KeyRegistry(app.harness.database).revoke(key.key_id)
    assert (await get(app)).json()["data"] == [
        {
            "object": "audit_entry",
            "id": "audit_1",
            "created_at": START + 1,
            "key_id": key.key_id,
            "key_name": "search page",
            "tenant": "acme",
            "action": "delete_file",
            "route": "DELETE /v1/files/{file_id}",
            "targets": {"file_id": "file-1"},
            "address": "192.0.2.7",
            "status": 404,
            "error_code": "x",
            "request_id": "r",
            "requests": 1,
        }
    ]


async def test_entries_are_filtered_and_paged(app: V1) -> None:
    AuditLog(app.harness.database).append(
        [
            *(event(number) for number in range(4)),
            event(4, tenant="umbra"),
            event(5, key_id="key_2"),
            event(6, action="create_key", key_id=""),
        ]
    )
    assert await ids(app, limit=2) == ["audit_6", "audit_5"]
    assert await ids(app, limit=2, after="audit_5", order="desc") == ["audit_4", "audit_3"]
    assert await ids(app, tenant="umbra") == ["audit_4"]
    assert await ids(app, key="key_2") == ["audit_5"]
    assert await ids(app, action="create_key") == ["audit_6"]
    assert await ids(app, since=START + 2, until=START + 4, order="asc") == ["audit_2", "audit_3"]
    assert await ids(app, tenant="nobody") == []
    page = (await get(app, tenant="acme", limit=3)).json()
    assert (page["has_more"], page["last_id"]) == (True, "audit_3")
    assert await ids(app, tenant="acme", limit=3, after="audit_3") == ["audit_2", "audit_1", "audit_0"]


@pytest.mark.parametrize(("query", "param"), [("since", "since"), ("until", "until"), ("user", "user")])
async def test_an_invalid_filter_is_refused(shared_app: V1, query: str, param: str) -> None:
    assert error_of(await get(shared_app, **{query: "yesterday"})) == (400, "invalid_request", param)


async def test_events_that_are_sent_again_are_written_once(app: V1) -> None:
    log = AuditLog(app.harness.database)
    log.append([event(1)])
    log.append([event(1), event(2)])
    log.append([])
    assert await ids(app) == ["audit_2", "audit_1"]


async def test_the_janitor_deletes_old_entries(app: V1) -> None:
    now = time.time()
    AuditLog(app.harness.database).append([event(1, at=now - 91 * DAY_S), event(2, at=now - 89 * DAY_S)])
    janitor: Janitor = app.harness.runtime.janitor
    janitor.run_maintenance()
    assert await ids(app) == ["audit_2"]
