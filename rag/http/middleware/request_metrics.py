"""Counts, measures and traces the requests of a service. The labels have few values, whatever clients send."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import Scope

from rag.auth.caller import Caller
from rag.errors import RagError, all_errors
from rag.http.auth.admission import CALLER
from rag.http.middleware.route_templates import UNMATCHED, RouteTemplates, method_label
from rag.telemetry import http as metrics
from rag.telemetry import tenants, tracing

_CODES = frozenset(error.code for error in all_errors())
_OTHER_CODE = "other"
_DISCONNECTED = 499
_UNTRACED = ("/batch_work",)
"""Requests that the edge sends all the time, whether or not there is anything to do."""
current_service: ContextVar[str] = ContextVar("service", default="")


class RequestMetrics:
    """The metrics and spans of the requests of one service.

    Args:
        service: The service's name.
        is_edge: Whether clients send the requests. These are counted by tenant, too.
    """

    def __init__(self, service: str, routes: RouteTemplates, max_in_flight: int, *, is_edge: bool = False) -> None:
        self._service = service
        self._is_edge = is_edge
        self._routes = routes
        self._in_flight = metrics.IN_FLIGHT.labels(service)
        metrics.IN_FLIGHT_LIMIT.labels(service).set(max_in_flight)
        metrics.describe_build(service)
        for code in _CODES:
            metrics.ERRORS.labels(service, code)

    def span(self, scope: Scope, request_id: str) -> AbstractContextManager[tracing.Span]:
        route = self._routes.of(scope["path"]) if tracing.is_on() else ""
        if route in _UNTRACED:
            return nullcontext(tracing.Span())
        known = "" if route == UNMATCHED else route
        return tracing.server_span(method_label(scope["method"]), known, request_id, Headers(scope=scope))

    def in_flight(self, requests: int) -> None:
        self._in_flight.set(requests)

    def ended(self, scope: Scope, status: int, error_code: str, took_s: float) -> None:
        """Count a request that has ended.

        Args:
            error_code: Of an error response; else empty.
        """
        route = self._routes.of(scope["path"])
        metrics.REQUESTS.labels(self._service, route, method_label(scope["method"]), str(status)).inc()
        metrics.DURATION.labels(self._service, route).observe(took_s)
        code = error_code if not error_code or error_code in _CODES else _OTHER_CODE
        if code:
            metrics.ERRORS.labels(self._service, code).inc()
        if self._is_edge:
            outcome = code or ("disconnected" if status == _DISCONNECTED else "ok")
            caller: Caller | None = scope.get(CALLER)
            tenant = tenants.tenant_label("" if caller is None else caller.tenant)
            tenants.REQUESTS.labels(tenant, outcome).inc()


def count_stream_error(error: RagError) -> None:
    """Count the failure of a stream that has begun, whose status is 200."""
    metrics.ERRORS.labels(current_service.get(), error.code).inc()
