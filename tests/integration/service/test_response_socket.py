"""WebSocket mode of `/v1/responses` through BentoML: the handshake and each message are checked like requests."""

from __future__ import annotations

import json

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.e2e.running import LIMIT_S, RunningService
from tests.support.tenants import Tenant

pytestmark = pytest.mark.integration


def url_of(service: RunningService) -> str:
    return service.url.replace("http://", "ws://") + "/v1/responses"


def test_a_handshake_is_refused_like_a_request(service: RunningService) -> None:
    foreign = {**service.headers, "origin": "https://evil.example"}
    for headers, status in (({}, 401), ({"authorization": "Bearer rag-unknown"}, 401), (foreign, 403)):
        with pytest.raises(InvalidStatus) as refused, connect(url_of(service), additional_headers=headers):
            pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body)["error"]["request_id"]


def test_a_key_continues_only_its_own_responses(service: RunningService, acme: Tenant, umbra: Tenant) -> None:
    model = next(each["id"] for each in acme.http.get("/v1/models").json()["data"] if each["kind"] == "language")

    def last_event(tenant: Tenant, **body: object) -> dict[str, object]:
        headers = {"authorization": tenant.http.headers["authorization"]}
        with connect(url_of(service), additional_headers=headers, open_timeout=LIMIT_S) as socket:
            socket.send(json.dumps({"type": "response.create", "model": model, "input": "Hello", **body}))
            for message in socket:
                event: dict[str, object] = json.loads(message)
                if event["type"] in ("response.completed", "response.incomplete", "error"):
                    return event
        raise AssertionError("the connection was closed")

    ended = last_event(acme)
    response = ended["response"]
    assert isinstance(response, dict)
    assert acme.http.get(f"/v1/responses/{response['id']}").status_code == httpx.codes.OK
    assert last_event(umbra, previous_response_id=response["id"])["code"] == "previous_response_not_found"
    continued = last_event(acme, previous_response_id=response["id"])["response"]
    assert isinstance(continued, dict)
    assert continued["previous_response_id"] == response["id"]
