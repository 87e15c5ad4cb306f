"""How the edge runs the lines of batches."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from rag.auth.caller import Caller
from rag.errors import DependencyUnavailable
from rag.http.in_process import IS_PART, SENT_FOR
from rag.http.v1.batches import runner as runner_module
from rag.http.v1.batches.runner import BatchRunner
from rag.library.batches.exchange import AssignedLine, Assignment, FinishedLine, ReleasedLine, Report
from tests.support.servers.loopback import until

CALLER = Caller("key_1", "acme", frozenset({"ask"}), in_background=True)
Answer = Callable[[Request], Awaitable[Response]]


def a_line(number: int, body: str = '{"input": "a"}') -> AssignedLine:
    return AssignedLine(("batch_1", number), "/v1/embeddings", body, CALLER)


class Retriever:
    """Gives out lines as an edge wants them, and keeps what it reports."""

    def __init__(self, lines: Sequence[AssignedLine]) -> None:
        self.waiting = list(lines)
        self.dropped: list[tuple[str, int]] = []
        """What the edge is told to stop, next."""
        self.reports: list[Report] = []
        self.failure: Exception | None = None
        self.refused = 0

    @property
    def finished(self) -> list[FinishedLine]:
        return [line for report in self.reports for line in report.finished]

    @property
    def released(self) -> list[ReleasedLine]:
        return [line for report in self.reports for line in report.released]

    async def exchange(self, report: Report) -> Assignment:
        if self.failure is not None:
            self.refused += 1
            raise self.failure
        self.reports.append(report)
        given, self.waiting = self.waiting[: report.wanted], self.waiting[report.wanted :]
        dropped, self.dropped = self.dropped, []
        return Assignment(given, dropped)


class Service:
    """The edge's application with its middleware."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.scopes: list[Scope] = []
        self.bodies: list[Any] = []
        self.most = 0
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            request = Request(scope, receive)
            self.bodies.append(await request.json())
            await (await self._answer(request))(scope, receive, send)
        finally:
            self.running -= 1


async def good(_: Request) -> Response:
    return JSONResponse({"object": "list"})


async def endless(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


@contextlib.asynccontextmanager
async def a_runner(retriever: Retriever, service: Service | None, at_once: int = 2) -> AsyncIterator[BatchRunner]:
    running = BatchRunner(retriever.exchange, lambda: service, at_once, poll_s=0.01)
    running.start()
    try:
        yield running
    finally:
        await running.close()


async def test_each_line_is_a_request_for_its_caller() -> None:
    two_run = asyncio.Event()

    async def answer(request: Request) -> Response:
        if service.running == 2:
            two_run.set()
        await two_run.wait()
        return await good(request)

    retriever, service = Retriever([a_line(number) for number in range(5)]), Service(answer)
    async with a_runner(retriever, service):
        await until(lambda: len(retriever.finished) == 5)
    assert service.most == 2
    assert max(report.wanted for report in retriever.reports) == 2
    assert sorted(line.key for line in retriever.finished) == [("batch_1", number) for number in range(5)]
    [scope, *_] = service.scopes
    assert (scope["method"], scope["path"], scope["client"]) == ("POST", "/v1/embeddings", ("batch_1", 0))
    assert (scope[SENT_FOR], scope[IS_PART]) == (CALLER, True)
    assert service.bodies[0] == {"input": "a"}
    headers = [dict(each["headers"]) for each in service.scopes]
    assert b"authorization" not in headers[0]
    first = next(line for line in retriever.finished if line.key == ("batch_1", 0))
    assert first.response["status_code"] == first.status == 200
    assert first.response["body"] == {"object": "list"}
    assert first.response["request_id"] in {each[b"x-request-id"].decode() for each in headers}


async def test_refused_lines_are_finished_and_what_is_busy_is_released() -> None:
    answers = {
        "bad": JSONResponse({"error": {"code": "invalid_request"}}, 400),
        "limited": JSONResponse({}, 429, {"retry-after": "7"}),
        "patient": JSONResponse({}, 429, {"retry-after": "7000"}),
        "starting": JSONResponse({}, 503),
        "broken": JSONResponse({"error": {}}, 500),
    }

    async def answer(request: Request) -> Response:
        return answers[(await request.json())["input"]]

    names = list(answers)
    lines = [a_line(number, json.dumps({"input": name})) for number, name in enumerate(names)]
    retriever = Retriever(lines)
    async with a_runner(retriever, Service(answer)):
        await until(lambda: len(retriever.finished) + len(retriever.released) == 5)
    finished = {names[line.key[1]]: line.status for line in retriever.finished}
    assert finished == {"bad": 400, "broken": 500}
    released = {names[line.key[1]]: line.pause_s for line in retriever.released}
    assert released == {"limited": 7.0, "patient": 60.0, "starting": 5.0}


async def test_a_dropped_line_is_stopped() -> None:
    retriever, service = Retriever([a_line(1)]), Service(endless)
    async with a_runner(retriever, service):
        await until(lambda: service.running == 1)
        await until(lambda: retriever.reports[-1].running == [("batch_1", 1)])
        retriever.dropped = [("batch_1", 1)]
        await until(lambda: service.running == 0)
        await until(lambda: retriever.reports[-1].running == [])
    assert (retriever.finished, retriever.released) == ([], [])


async def test_results_are_reported_again_until_the_retriever_has_them() -> None:
    may_answer = asyncio.Event()

    async def answer(request: Request) -> Response:
        await may_answer.wait()
        return await good(request)

    retriever, service = Retriever([a_line(1)]), Service(answer)
    async with a_runner(retriever, service):
        await until(lambda: bool(service.bodies))
        retriever.failure = DependencyUnavailable("restarting")
        may_answer.set()
        await until(lambda: service.running == 0)
        await until(lambda: retriever.refused > 1)
        assert retriever.finished == []
        retriever.failure = None
        await until(lambda: bool(retriever.finished))
    assert [line.key for line in retriever.finished] == [("batch_1", 1)]


async def test_a_draining_edge_stops_its_lines_and_gives_them_back() -> None:
    retriever, service = Retriever([a_line(1), a_line(2), a_line(3)]), Service(endless)
    async with a_runner(retriever, service) as running:
        await until(lambda: service.running == 2)
        await running.drain()
        await until(lambda: service.running == 0)
        await until(lambda: len(retriever.released) == 2)
        await until(lambda: retriever.reports[-1].wanted == 0)
    assert {(line.key[1], line.pause_s) for line in retriever.released} == {(1, 0.0), (2, 0.0)}
    assert [line.key[1] for line in retriever.waiting] == [3]


async def test_closing_reports_what_has_ended() -> None:
    retriever, service = Retriever([a_line(1)]), Service(endless)
    running = BatchRunner(retriever.exchange, lambda: service, 2, poll_s=0.01)
    running.start()
    await until(lambda: service.running == 1)
    await running.close()
    assert [line.key for line in retriever.released] == [("batch_1", 1)]


async def test_an_edge_without_its_application_wants_nothing() -> None:
    retriever = Retriever([a_line(1)])
    async with a_runner(retriever, None):
        await until(lambda: bool(retriever.reports))
    assert {report.wanted for report in retriever.reports} == {0}


async def test_a_report_is_not_larger_than_a_request_may_be(monkeypatch: Any) -> None:
    monkeypatch.setattr(runner_module, "_REPORT_BYTES", 3000)
    monkeypatch.setattr(runner_module, "_MAX_RESPONSE_BYTES", 5000)

    async def answer(request: Request) -> Response:
        return JSONResponse({"text": "x" * (await request.json())["input"]})

    sizes = [2000, 2000, 2000, 6000]
    retriever = Retriever([a_line(number, json.dumps({"input": size})) for number, size in enumerate(sizes)])
    async with a_runner(retriever, Service(answer), at_once=4):
        await until(lambda: len(retriever.finished) == 4)
    assert all(len(report.finished) <= 1 for report in retriever.reports if sum(map(_size, report.finished)) > 3000)
    statuses = {line.key[1]: line.status for line in retriever.finished}
    assert statuses == {0: 200, 1: 200, 2: 200, 3: 500}
    large = next(line for line in retriever.finished if line.status == 500)
    assert "larger than 5000 bytes" in large.response["body"]["error"]["message"]


def _size(line: FinishedLine) -> int:
    return len(json.dumps(line.response["body"]))
