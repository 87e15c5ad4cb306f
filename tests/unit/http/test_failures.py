"""Every 500 leaves a stack trace in the log, under its request id; no other error does."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rag.errors import Conflict, InternalError, RagError
from rag.http.endpoint import endpoint
from rag.http.middleware.request_id import RequestIdFilter
from rag.http.native.internal.verify_wire import VerifyResponse
from rag.http.streaming.event_stream import Event, EventStream
from rag.http.v1.applications.application import v1_app
from rag.http.validation.wire_model import WireModel
from tests.unit.http.middleware.test_service_middleware import Exchange, edge

ID = "request-7"


def broken(failure: Exception) -> None:
    raise failure


class Body(WireModel):
    pass


def in_an_endpoint(failure: Exception) -> ASGIApp:
    async def method(self: Any, request: Body, /) -> VerifyResponse:
        broken(failure)
        raise AssertionError

    async def answer(request: Request) -> Response:
        response: Response = await endpoint("/ask")(method).func(None, await Body.from_http_request(request, None))
        return response

    return Starlette(routes=[Route("/ask", answer, methods=["POST"])])


def in_a_v1_route(failure: Exception) -> ASGIApp:
    async def answer(request: Request) -> Response:
        broken(failure)
        raise AssertionError

    return v1_app([Route("/ask", answer, methods=["POST"])])


def in_a_stream(failure: Exception) -> ASGIApp:
    async def events() -> AsyncGenerator[Event, None]:
        yield "token", {"text": "a"}
        broken(failure)

    return EventStream(events(), keep_alive_s=5, timeout_s=5)


PLACES = pytest.mark.parametrize("place", [in_an_endpoint, in_a_v1_route, in_a_stream])


async def logged(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> tuple[Exchange, list[logging.LogRecord]]:
    caplog.handler.addFilter(RequestIdFilter())
    exchange = await Exchange(edge(app), headers={"x-request-id": ID}).run()
    return exchange, [record for record in caplog.records if record.name.startswith("rag.")]


@PLACES
@pytest.mark.parametrize("failure", [ValueError("a secret"), InternalError("a bug")])
async def test_a_500_is_logged_with_its_stack_trace(
    place: Any, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    exchange, records = await logged(place(failure), caplog)
    assert b"internal_error" in exchange.body
    assert b"a secret" not in exchange.body
    assert records
    for record in records:
        assert record.__dict__["request_id"] == ID
        assert record.exc_info is not None
        assert "in broken" in logging.Formatter().formatException(record.exc_info)


@PLACES
async def test_another_error_is_not_logged(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    error: RagError = Conflict("twice")
    exchange, records = await logged(place(error), caplog)
    assert b"conflict" in exchange.body
    assert records == []
