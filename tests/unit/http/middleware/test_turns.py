"""At the edge, requests of one caller take turns while others are active."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping

import pytest
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from rag.auth.caller import Caller
from rag.http.clients.remote import RemoteGenerator
from rag.http.clients.service_client import ServiceClient
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.queues import caller_turns
from rag.queues.caller_turns import CallerTurns
from tests.fakes import FakeGenerator
from tests.support.servers.llm_service import an_llm_service
from tests.support.servers.loopback import until
from tests.unit.http.middleware.test_service_middleware import LIMITS, Exchange, make_lifecycle


class ByHeader:
    async def admit(self, scope: Scope, response_headers: MutableMapping[str, str]) -> Caller:
        return Caller(Headers(scope=scope)["x-key"], "acme", frozenset())


class Work:
    """An application that waits for `finish`, then begins its response, and then waits for `end`."""

    def __init__(self, llm: ServiceClient | None = None) -> None:
        self.begun: list[str] = []
        self.finish = asyncio.Event()
        self.end = asyncio.Event()
        self._llm = llm

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(Headers(scope=scope)["x-key"])
        while (await receive()).get("more_body"):
            pass
        if self._llm is not None:
            async with RemoteGenerator(self._llm).generate("a", {}, "r"):
                pass
        await self.finish.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.end.wait()
        await send({"type": "http.response.body", "body": b""})


def edge(work: Work, *, max_wait_s: float = 60.0) -> ServiceMiddleware:
    return ServiceMiddleware(
        work,
        make_lifecycle(ready={}),
        100,
        LIMITS,
        admission=ByHeader(),
        make_turns=lambda: CallerTurns(1, max_wait_s=max_wait_s),
    )


@pytest.fixture(autouse=True)
def _no_turn_ends_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_turns, "_LONGEST_TURN_S", 600.0)


def sent(app: ServiceMiddleware, key: str, path: str = "/ask", **headers: str) -> asyncio.Task[Exchange]:
    return Exchange(app, path, headers={"x-key": key, **headers}).start()


async def test_the_next_request_begins_with_the_response_of_the_one_before() -> None:
    work = Work()
    app = edge(work)
    tasks = [sent(app, key) for key in "baaa"]
    await until(lambda: work.begun == ["b", "a"])
    work.finish.set()
    await until(lambda: work.begun == ["b", "a", "a", "a"])
    work.end.set()
    assert [exchange.status for exchange in await asyncio.gather(*tasks)] == [200] * 4


async def test_the_next_request_begins_when_the_one_before_waits_for_the_language_model() -> None:
    model = FakeGenerator("a b c", start=asyncio.Event())
    async with an_llm_service(model) as llm:
        work = Work(llm)
        app = edge(work)
        tasks = [sent(app, key) for key in "baaa"]
        await until(lambda: work.begun == ["b", "a", "a", "a"])
        assert model.start is not None
        model.start.set()
        work.finish.set()
        work.end.set()
        assert [exchange.status for exchange in await asyncio.gather(*tasks)] == [200] * 4


async def test_the_next_upload_begins_soon_after_the_body_of_the_one_before() -> None:
    """Its response may wait for a job."""
    work = Work()
    app = edge(work)
    form = {"content-type": "multipart/form-data; boundary=b"}
    tasks = [sent(app, key, "/ingest", **form) for key in "baaa"]
    await until(lambda: work.begun == ["b", "a", "a", "a"])
    work.finish.set()
    work.end.set()
    assert [exchange.status for exchange in await asyncio.gather(*tasks)] == [200] * 4


async def test_a_request_that_waits_for_too_long_is_refused() -> None:
    work = Work()
    app = edge(work, max_wait_s=0.01)
    tasks = [sent(app, key) for key in "ba"]
    await until(lambda: work.begun == ["b", "a"])
    refused = await Exchange(app, headers={"x-key": "a"}).run()
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (429, "overloaded", "1")
    work.finish.set()
    work.end.set()
    await asyncio.gather(*tasks)


async def test_a_request_that_consists_of_others_has_no_turn() -> None:
    work = Work()
    app = edge(work)
    tasks = [sent(app, key, "/mcp") for key in "baa"]
    await until(lambda: work.begun == ["b", "a", "a"])
    work.finish.set()
    work.end.set()
    await asyncio.gather(*tasks)
