"""How the services admit each other, and what the middleware makes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from rag.auth.caller import (
    INTERNAL,
    WITHOUT_KEY,
    Caller,
    caller_from_header,
    caller_to_header,
    current_caller,
    current_tenant,
)
from rag.errors import InsufficientPermissions, Unauthenticated
from rag.http.auth.admission import CALLER_HEADER, SERVICE_KEY_HEADER, ServiceAdmission
from rag.http.auth.audit_trail import AuditTrail, RequestOutcome
from rag.http.auth.route_table import RouteTable
from rag.http.clients.service_client import ServiceClient
from rag.http.headers.inner_headers import OBJECT_ID
from rag.http.middleware.service_middleware import ServiceMiddleware
from tests.support.servers.loopback import app_of, served
from tests.unit.http.middleware.test_service_middleware import LIMITS, Exchange, make_lifecycle

KEY = "a-service-key-of-at-least-32-characters"
ACME = Caller("key_1", "acme", frozenset({"ask"}), frozenset({"vs_1"}))


@contextlib.contextmanager
def as_caller(caller: Caller) -> Iterator[None]:
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"tenant": current_tenant()})(scope, receive, send)


def service(admission: Any, *, is_edge: bool = False) -> ServiceMiddleware:
    return ServiceMiddleware(whoami, make_lifecycle(is_edge=is_edge, ready={}), 10, LIMITS, admission=admission)


class Admits:
    """Admits one caller, or raises one error."""

    def __init__(self, result: Caller | Exception) -> None:
        self._result = result

    async def admit(self, scope: Scope, response_headers: MutableMapping[str, str]) -> Caller:
        response_headers["x-added"] = "yes"
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


async def test_a_service_knows_the_caller_from_the_header() -> None:
    app = service(ServiceAdmission())
    sent = await Exchange(app, headers={CALLER_HEADER: caller_to_header(ACME)}).run()
    assert sent.body == b'{"tenant":"acme"}'
    assert (await Exchange(app).run()).body == b'{"tenant":"default"}'
    assert current_caller.get() is None


async def test_a_header_that_cannot_be_read_is_refused() -> None:
    refused = await Exchange(service(ServiceAdmission()), headers={CALLER_HEADER: "me"}).run()
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")


async def test_a_service_key_is_needed_once_it_is_set() -> None:
    app = service(ServiceAdmission(KEY))
    for headers in (
        {},
        {SERVICE_KEY_HEADER: "wrong"},
        {SERVICE_KEY_HEADER: KEY + "x"},
        {"authorization": f"Bearer {KEY}"},
    ):
        refused = await Exchange(app, headers=headers).run()
        assert (refused.status, "RAG_SERVER__SERVICE_KEY" in refused.error["message"]) == (401, True)
    assert (await Exchange(app, headers={SERVICE_KEY_HEADER: KEY}).run()).status == 200
    assert (await Exchange(app, "/readyz").run()).status == 200  # probes of an orchestrator have no key


async def test_a_service_without_key_refuses_other_machines() -> None:
    refused = await Exchange(service(ServiceAdmission(None, is_exposed=True))).run()
    assert (refused.status, refused.error["code"]) == (403, "forbidden")
    assert "RAG_SERVER__SERVICE_KEY" in refused.error["message"]


async def test_the_edge_ignores_a_caller_header_of_a_client() -> None:
    app = service(Admits(WITHOUT_KEY), is_edge=True)
    sent = await Exchange(app, headers={CALLER_HEADER: caller_to_header(ACME)}).run()
    assert sent.body == b'{"tenant":"default"}'
    assert sent.headers["x-added"] == "yes"


async def test_a_refusal_has_openais_shape() -> None:
    refused = await Exchange(service(Admits(Unauthenticated("no key")), is_edge=True)).run()
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="rag"')
    assert (refused.error["code"], refused.error["type"]) == ("invalid_api_key", "authentication_error")
    assert refused.headers["x-added"] == "yes"
    assert refused.error["request_id"] == refused.headers["x-request-id"]
    refused = await Exchange(service(Admits(InsufficientPermissions("no scope")), is_edge=True)).run()
    assert (refused.status, refused.error["code"]) == (403, "insufficient_permissions")
    assert refused.error["type"] == "permission_error"


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_need_no_key(path: str) -> None:
    assert (await Exchange(service(Admits(Unauthenticated("no key")), is_edge=True), path).run()).status == 200


class Recorder(AuditTrail):
    """Keeps what the middleware notes."""

    def __init__(self) -> None:
        super().__init__(RouteTable(list))
        self.noted: list[tuple[str, RequestOutcome]] = []

    def note(self, scope: Scope, outcome: RequestOutcome) -> None:
        self.noted.append((scope["path"], outcome))


async def create(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({}, headers={OBJECT_ID: "vs_1"})(scope, receive, send)


async def test_the_edge_notes_each_request_and_its_outcome() -> None:
    audit = Recorder()
    for admission in (Admits(ACME), Admits(Unauthenticated("no key"))):
        life = make_lifecycle(is_edge=True, ready={})
        app = ServiceMiddleware(create, life, 10, LIMITS, admission=admission, audit=audit)
        for path in ("/x", "/metrics"):
            sent = await Exchange(app, path, method="GET", headers={"x-request-id": "r"}).run()
            assert OBJECT_ID not in sent.headers
    assert audit.noted == [
        ("/x", RequestOutcome(200, "", "r", "vs_1")),
        ("/metrics", RequestOutcome(200, "", "r", "")),
        ("/x", RequestOutcome(401, "invalid_api_key", "r", "")),
        ("/metrics", RequestOutcome(401, "invalid_api_key", "r", "")),
    ]


async def test_an_inner_service_tells_the_edge_what_was_created() -> None:
    app = ServiceMiddleware(create, make_lifecycle(is_edge=False), 10, LIMITS)
    assert (await Exchange(app).run()).headers[OBJECT_ID] == "vs_1"


async def test_metrics_need_a_key_at_the_edge() -> None:
    app = service(Admits(Unauthenticated("no key")), is_edge=True)
    assert (await Exchange(app, "/metrics", method="GET").run()).status == 401
    assert (await Exchange(service(Admits(ACME), is_edge=True), "/metrics", method="GET").run()).status == 200


async def test_the_caller_travels_to_the_other_services() -> None:
    async def headers(request: Request) -> JSONResponse:
        return JSONResponse({"caller": request.headers[CALLER_HEADER], "key": request.headers[SERVICE_KEY_HEADER]})

    async with served(app_of(headers)) as url:
        client = ServiceClient("Retriever", url, {SERVICE_KEY_HEADER: KEY})
        try:
            with as_caller(ACME):
                sent = await client.call("/x", {}, timeout_s=30)
            assert caller_from_header(sent["caller"]) == ACME
            assert sent["key"] == KEY
            sent = await client.call("/x", {}, timeout_s=30)
            assert caller_from_header(sent["caller"]) == INTERNAL
        finally:
            await client.close()
