"""Responses in the background of two tenants, on the whole service."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.running import wait_until
from tests.support.tenants import Tenant

pytestmark = pytest.mark.integration


def test_a_tenant_gets_its_answer_in_the_background(umbra: Tenant, acme: Tenant) -> None:
    body = {"model": "rag", "input": "Where does the zebra sleep?", "background": True}
    queued = umbra.http.post("/v1/responses", json=body).json()
    assert (queued["status"], queued["output"]) == ("queued", [])
    path = f"/v1/responses/{queued['id']}"

    def kept() -> Any:
        return umbra.http.get(path).json()

    wait_until(lambda: kept()["status"] not in ("queued", "in_progress"))
    answer = kept()
    assert (answer["status"], answer["error"]) in (("completed", None), ("incomplete", None))
    assert [item["type"] for item in answer["output"]] == ["file_search_call", "message"]
    for method, suffix in (("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")):
        assert acme.http.request(method, path + suffix).status_code == 404
    assert umbra.http.post(f"{path}/cancel").json() == answer
    events = umbra.http.post("/v1/responses", json={**body, "stream": True})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert f"event: response.{answer['status']}" in events.text
