"""Readiness of the services that a service depends on, over real HTTP on loopback."""

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
from tests.support.servers.loopback import app_of, hanging, served, until

pytestmark = pytest.mark.integration


class ShortTimeoutClient(ServiceClient):
    async def ready(self, timeout_s: float = 0.1) -> Mapping[str, Any]:
        return await super().ready(timeout_s)


class ScriptedReadiness:
    """A service whose readiness is set by the test; `None` hangs."""

    def __init__(self, response: Response | None = None) -> None:
        self.response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (hanging if self.response is None else self.response)(scope, receive, send)


READY = JSONResponse({"status": "ready", "context_tokens": 99})


@contextlib.asynccontextmanager
async def upstream_services(app: ASGIApp, *, polled: bool = True) -> AsyncIterator[UpstreamServices]:
    async with served(app) as url:
        dependencies = UpstreamServices({"LLM": ShortTimeoutClient("LLM", url)}, ready_message=lambda: "ready")
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


async def test_readiness_follows_the_dependency() -> None:
    app = ScriptedReadiness(error_response(Starting("the language model is loading")))
    async with upstream_services(app) as dependencies:
        assert state(dependencies) == "starting"
        app.response = READY
        await until(lambda: state(dependencies) == "ready", 3)
        assert (await dependencies.ready())["services"]["LLM"]["context_tokens"] == 99
        app.response = error_response(DependencyUnavailable("the engine stopped"))
        await until(lambda: state(dependencies) == "dependency_unavailable", 3)


async def test_services_behind_a_service_are_reported_as_well() -> None:
    behind = {"Embedder": {"status": "ready", "model": "m"}}
    app = ScriptedReadiness(JSONResponse({"status": "ready", "services": behind}))
    async with upstream_services(app, polled=False) as dependencies:
        assert await dependencies.ready() == {"services": {"LLM": {"status": "ready"}, **behind}}


async def test_a_dependency_that_hangs_does_not_hang_readiness() -> None:
    """docs/bentoml_issues.md#b19: BentoML's own readiness waits for 300 s."""
    app = ScriptedReadiness(None)
    async with upstream_services(app, polled=False) as dependencies:
        with pytest.raises(Starting, match="LLM is starting"):
            await asyncio.wait_for(dependencies.ready(), 30)
        app.response = READY
        await asyncio.sleep(0.35)
        await dependencies.ready()
        app.response = None
        await asyncio.sleep(0.35)
        with pytest.raises(DeadlineExceeded):
            await asyncio.wait_for(dependencies.ready(), 30)


async def test_concurrent_readiness_checks_poll_the_dependency_once() -> None:
    poll_count = 0

    async def handler(request: Request) -> Response:
        nonlocal poll_count
        poll_count += 1
        return READY

    async with upstream_services(app_of(handler), polled=False) as dependencies:
        await asyncio.gather(*(dependencies.ready() for _ in range(50)))
    assert poll_count == 1


async def test_a_lease_is_held_until_it_is_released() -> None:
    """See docs/bentoml_issues.md#b6."""
    lifecycle = Lifecycle("LLM")
    async with upstream_services(ServiceMiddleware(READY, lifecycle, 10, {"*": 1000}), polled=False) as dependencies:
        lease = asyncio.create_task(dependencies.hold())
        await until(lambda: lifecycle.in_flight == 1)
        lease.cancel()
        await until(lambda: lifecycle.in_flight == 0)


async def test_a_lease_on_an_unreachable_service_is_not_an_error() -> None:
    dependencies = UpstreamServices({"LLM": ServiceClient("LLM", "http://127.0.0.1:9")})
    await asyncio.wait_for(dependencies.hold(), 30)
    await dependencies.close()


async def test_a_ready_service_stays_ready_until_it_has_been_silent_for_long() -> None:
    app = ScriptedReadiness(READY)
    async with upstream_services(app, polled=False) as dependencies:
        await dependencies.ready()
        app.response = None
        states = []
        for _ in range(3):
            await asyncio.sleep(0.35)
            with pytest.raises(DeadlineExceeded):
                await dependencies.ready()
            states.append(state(dependencies))
        assert states == ["ready", "ready", "timeout"]
        app.response = READY
        await asyncio.sleep(0.35)
        await dependencies.ready()
        assert state(dependencies) == "ready"
