"""Metrics of requests: what is counted, and that nothing that clients send makes the number of series grow."""

from __future__ import annotations

import random
import string
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Scope

from rag.auth.caller import Caller
from rag.auth.scopes import SCOPES
from rag.errors import Conflict, DependencyUnavailable, RagError, RateLimitExceeded
from rag.http.auth.admission import CALLER
from rag.http.error_table import OURS, error_response
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.route_templates import RouteTemplates
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.published_document import public_operations
from rag.http.streaming.event_stream import EventStream
from rag.telemetry.exposition import own_metrics
from tests.support.metric_values import Changes, series
from tests.unit.http.middleware.test_service_middleware import Exchange, Slow

NAME = "Measured"
ROUTES = RouteTemplates(lambda: [route.mounted_at + route.path for route in public_operations()])


def service(app: ASGIApp, **options: Any) -> ServiceMiddleware:
    return ServiceMiddleware(app, Lifecycle(NAME, is_edge=True), 2, {"*": 100}, routes=ROUTES, **options)


def requests(route: str, status: int, method: str = "POST") -> str:
    return f'rag_http_requests_total{{method="{method}",route="{route}",service="{NAME}",status="{status}"}}'


def errors(code: str) -> str:
    return f'rag_request_errors_total{{code="{code}",service="{NAME}"}}'


def random_text(chooser: random.Random) -> str:
    return "".join(chooser.choices(string.ascii_letters + string.digits + "-_.~\u00e9 ", k=chooser.randint(1, 40)))


async def test_the_number_of_series_does_not_depend_on_what_clients_request() -> None:
    """docs/bentoml_issues.md#b9: BentoML's metrics have a series for every path."""
    chooser, app = random.Random(1), service(PlainTextResponse("ok"))
    shapes = ["/{}", "/{}/{}", "/v1/{}", "/v1/files/{}", "/v1/vector_stores/{}/files/{}", "/v1/models/{}"]

    async def request_each_shape() -> None:
        for shape in shapes:
            path = shape.format(*(random_text(chooser) for _ in range(shape.count("{}"))))
            await Exchange(app, path, method=chooser.choice(["GET", "BREW"])).run()

    for method in ("GET", "BREW"):  # each template once with each method
        for shape in shapes:
            await Exchange(app, shape.format("x", "y"), method=method).run()
    before = set(series(own_metrics(NAME)))
    for _ in range(100):
        await request_each_shape()
    assert set(series(own_metrics(NAME))) == before


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/metrics"])
async def test_probes_and_scrapes_are_not_counted(path: str) -> None:
    before = own_metrics(NAME)
    await Exchange(service(PlainTextResponse("ok")), path, method="GET").run()
    assert own_metrics(NAME) == before


async def test_a_request_is_counted_and_measured_by_its_template() -> None:
    app = service(PlainTextResponse("ok", 201))
    changes = Changes(NAME)
    await Exchange(app, "/v1/files/file-1").run()
    assert changes[requests("/v1/files/{file_id}", 201)] == 1
    assert changes[f'rag_http_request_duration_seconds_count{{route="/v1/files/{{file_id}}",service="{NAME}"}}'] == 1


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (error_response(Conflict("twice")), 409, "conflict"),
        (PlainTextResponse("no", 404), 404, "not_found"),
        (JSONResponse({}, 400, {OURS: "code_of_a_newer_release"}), 400, "other"),
    ],
)
async def test_errors_are_counted_by_code(response: ASGIApp, status: int, code: str) -> None:
    app = service(response)
    changes = Changes(NAME)
    await Exchange(app).run()
    assert (changes[requests("/ask", status)], changes[errors(code)]) == (1, 1)


def by_tenant(tenant: str, outcome: str) -> str:
    return f'rag_tenant_requests_total{{outcome="{outcome}",tenant="{tenant}"}}'


class AdmitsAcme:
    """Knows the tenant of each key, and refuses some all the same."""

    def __init__(self, refusal: RagError | None = None) -> None:
        self._refusal = refusal

    async def admit(self, scope: Scope, response_headers: MutableMapping[str, str]) -> Caller:
        caller = scope[CALLER] = Caller("key_1", "acme", frozenset(SCOPES))
        if self._refusal is not None:
            raise self._refusal
        return caller


async def test_requests_are_counted_by_tenant_and_outcome() -> None:
    changes = Changes("RAG")
    await Exchange(service(PlainTextResponse("ok"), admission=AdmitsAcme())).run()
    await Exchange(service(error_response(Conflict("twice")), admission=AdmitsAcme())).run()
    await Exchange(service(PlainTextResponse("ok"), admission=AdmitsAcme(RateLimitExceeded("slow down")))).run()
    await Exchange(service(PlainTextResponse("ok"))).run()
    counted = [by_tenant("acme", outcome) for outcome in ("ok", "conflict", "rate_limit_exceeded")]
    assert [changes[key] for key in (*counted, by_tenant("_none", "ok"))] == [1, 1, 1, 1]


async def test_inner_services_do_not_count_by_tenant() -> None:
    changes = Changes("RAG")
    inner = ServiceMiddleware(PlainTextResponse("ok"), Lifecycle(NAME), 2, {"*": 100}, admission=AdmitsAcme())
    await Exchange(inner).run()
    assert changes[by_tenant("acme", "ok")] == 0


async def test_rejected_requests_are_counted_by_reason() -> None:
    slow = Slow()
    app = service(slow)
    changes = Changes(NAME)
    await Exchange(app, headers={"content-length": "101"}).run()
    running = [Exchange(app).start() for _ in range(2)]
    await slow.at_work.wait()
    await Exchange(app).run()
    assert changes[f'rag_http_requests_in_flight{{service="{NAME}"}}'] == 2
    assert (changes[errors("overloaded")], changes[errors("file_too_large")]) == (1, 1)
    slow.gate.set()
    for task in running:
        await task
    assert series(own_metrics(NAME))[f'rag_http_requests_in_flight{{service="{NAME}"}}'] == 0
    assert series(own_metrics(NAME))[f'rag_http_requests_in_flight_limit{{service="{NAME}"}}'] == 2


async def test_a_stream_that_fails_is_counted_although_its_status_is_200() -> None:
    async def events() -> Any:
        yield "token", {"text": "a"}
        raise DependencyUnavailable("the engine died")

    app = service(EventStream(events(), keep_alive_s=5, timeout_s=5))
    changes = Changes(NAME)
    await Exchange(app).run()
    assert (changes[requests("/ask", 200)], changes[errors("dependency_unavailable")]) == (1, 1)


async def test_a_disconnect_is_counted_as_499() -> None:
    slow = Slow()
    app = service(slow)
    changes = Changes(NAME)
    exchange = Exchange(app)
    task = exchange.start()
    await slow.at_work.wait()
    exchange.leave()
    await task
    assert changes[requests("/ask", 499)] == 1


async def test_the_page_allows_only_get() -> None:
    page = await Exchange(service(PlainTextResponse("ok")), "/metrics", method="GET").run()
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"rag_build_info{" in page.body
    refused = await Exchange(service(PlainTextResponse("ok")), "/metrics", method="PATCH").run()
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")
