"""Readiness of what a service depends on: real HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import (
    DeadlineExceeded,
    DependencyUnavailable,
    RagError,
    Starting,
)
from rag.http.clients.service_client import ServiceClient
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.error_table import error_response
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from tests.support.loopback import app_of, hanging, served, until

pytestmark = pytest.mark.integration


class Impatient(ServiceClient):
    async def ready(self, timeout_s: float = 0.1) -> Mapping[str, Any]:
        return await super().ready(timeout_s)


class Changing:
    """A service whose readiness is set by the test; `None` hangs."""

    def __init__(self, response: Response | None = None) -> None:
        self.response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (hanging if self.response is None else self.response)(scope, receive, send)


READY = JSONResponse({"status": "ready", "context_tokens": 99})


@contextlib.asynccontextmanager
async def depending_on(app: ASGIApp, *, polled: bool = True) -> AsyncIterator[UpstreamServices]:
    async with served(app) as url:
        dependencies = UpstreamServices({"LLM": Impatient("LLM", url)}, ready_message="ready")
        if polled:
            dependencies.start()
        try:
            yield dependencies
        finally:
            await dependencies.close()


def state(dependencies: UpstreamServices) -> str:
    try:
        return str(dependencies.require("LLM")["status"])
    except RagError as error:
        return error.code


async def test_a_dependency_is_starting_then_ready_then_not() -> None:
    app = Changing(error_response(Starting("the language model is loading")))
    async with depending_on(app) as dependencies:
        assert state(dependencies) == "starting"
        app.response = READY
        await until(lambda: state(dependencies) == "ready", 3)
        assert (await dependencies.ready())["services"]["LLM"]["context_tokens"] == 99
        app.response = error_response(DependencyUnavailable("the engine stopped"))
        await until(lambda: state(dependencies) == "dependency_unavailable", 3)


async def test_a_dependency_that_hangs_does_not_hang_readiness() -> None:
    """docs/bentoml_issues.md#b19: BentoML's own readiness waits for 300 s."""
    app = Changing(None)
    async with depending_on(app, polled=False) as dependencies:
        with pytest.raises(Starting, match="LLM is starting"):
            await asyncio.wait_for(dependencies.ready(), 1)
        app.response = READY
        await asyncio.sleep(0.35)
        await dependencies.ready()
        app.response = None
        await asyncio.sleep(0.35)
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(dependencies.ready(), 1)


async def test_readiness_that_is_asked_often_asks_the_dependency_seldom() -> None:
    asked = 0

    async def handler(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return READY

    async with depending_on(app_of(handler), polled=False) as dependencies:
        await asyncio.gather(*(dependencies.ready() for _ in range(50)))
    assert asked == 1


async def test_a_lease_is_held_until_it_is_let_go() -> None:
    """See docs/bentoml_issues.md#b6."""
    life = Lifecycle("LLM")
    async with depending_on(ServiceMiddleware(READY, life, 10, {"*": 1000}), polled=False) as dependencies:
        holding = asyncio.create_task(dependencies.hold())
        await until(lambda: life.in_flight == 1)
        holding.cancel()
        await until(lambda: life.in_flight == 0)


async def test_a_lease_on_what_is_gone_is_no_error() -> None:
    dependencies = UpstreamServices({"LLM": ServiceClient("LLM", "http://127.0.0.1:9")})
    await asyncio.wait_for(dependencies.hold(), 2)
    await dependencies.close()


async def test_requests_go_on_while_a_ready_service_is_slow_and_stop_when_it_stays_silent() -> None:
    app = Changing(READY)
    async with depending_on(app, polled=False) as dependencies:
        await dependencies.ready()
        app.response = None
        told = []
        for _ in range(3):
            await asyncio.sleep(0.35)
            with pytest.raises(DeadlineExceeded):
                await dependencies.ready()
            told.append(state(dependencies))
        assert told == ["ready", "ready", "timeout"]
        app.response = READY
        await asyncio.sleep(0.35)
        await dependencies.ready()
        assert state(dependencies) == "ready"
