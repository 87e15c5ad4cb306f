"""Runs batch lines at the edge: each is sent to one of the edge's own routes, in this process."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx
from starlette.types import ASGIApp, Scope

from rag.auth.caller import Caller
from rag.errors import InternalError, RagError
from rag.http.error_table import error_body
from rag.http.in_process import IS_PART, SENT_FOR, SERVICE, InProcessTransport
from rag.http.middleware.request_id import HEADER
from rag.library.batches.exchange import AssignedLine, Assignment, FinishedLine, ReleasedLine, Report

logger = logging.getLogger("rag.batches")

SendReport: TypeAlias = Callable[[Report], Awaitable[Assignment]]
"""Reports to the Retriever. Raises a RagError if it does not answer."""

_POLL_S = 2.0
"""Longer than a draining service waits for another request (`rag.http.middleware.lifecycle`)."""
_GATHER_S = 0.02
"""Pause after a line has ended, so that lines that end together are reported together."""
_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0
"""How long a batch waits if the service is busy or down and does not say for how long."""
_REPORT_BYTES = 8 * 2**20
_MAX_RESPONSE_BYTES = 24 * 2**20
"""Encoded as ASCII JSON it may become twice as large, and a report with several must fit into one internal request."""
_LAST_REPORT_S = 3.0
_WAITED_OUT = (429, 503)


@dataclass(slots=True)
class _Pending:
    """What the Retriever has not confirmed yet."""

    finished: list[tuple[FinishedLine, int]] = field(default_factory=list)
    """With the sizes of their responses."""
    released: list[ReleasedLine] = field(default_factory=list)


class BatchRunner:
    """Requests lines from the Retriever and runs several at a time, on behalf of the callers that created their
    batches.

    Args:
        service: Returns the edge's application with its middleware, which the lines are sent to; None: not made yet.
        at_once: Lines that this process runs at the same time; the Retriever's limits hold for all edges together.
        poll_s: Pause between reports if nothing happens.
    """

    def __init__(
        self, exchange: SendReport, service: Callable[[], ASGIApp | None], at_once: int, *, poll_s: float = _POLL_S
    ) -> None:
        self._exchange = exchange
        self._service = service
        self._at_once = at_once
        self._poll_s = poll_s
        self._worker = uuid.uuid4().hex
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._pending = _Pending()
        self._has_ended = asyncio.Event()
        self._is_draining = False
        self._is_failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Stop all lines, and let other edges run them."""
        self._is_draining = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Drain, and report for the last time. Lines that cannot be reported are run again by another edge."""
        await self.drain()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(RagError, TimeoutError):
            async with asyncio.timeout(_LAST_REPORT_S):
                while self._pending.finished or self._pending.released:
                    await self._report()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._has_ended.wait()
                    await asyncio.sleep(_GATHER_S)
            self._has_ended.clear()
            try:
                await self._report()
                self._is_failing = False
            except Exception as error:  # what is pending is reported again
                self._note_failure(error)
                await asyncio.sleep(self._poll_s)

    def _note_failure(self, error: Exception) -> None:
        if not self._is_failing:
            unexpected = None if isinstance(error, RagError) else error
            logger.warning(
                "batch lines are postponed, because the Retriever does not answer: %s", error, exc_info=unexpected
            )
        self._is_failing = True

    async def _report(self) -> None:
        finished, released = self._part_of_finished(), list(self._pending.released)
        wanted = 0 if self._is_draining or self._service() is None else self._at_once - len(self._running)
        lines = [line for line, _ in finished]
        assignment = await self._exchange(Report(self._worker, list(self._running), lines, released, max(0, wanted)))
        del self._pending.finished[: len(finished)]
        del self._pending.released[: len(released)]
        if self._pending.finished:
            self._has_ended.set()
        for key in assignment.dropped:
            if (task := self._running.pop(key, None)) is not None:
                task.cancel()
        for line in assignment.lines:
            self._begin(line)

    def _part_of_finished(self) -> list[tuple[FinishedLine, int]]:
        """The first lines, together not much larger than what one request may have."""
        size = 0
        for count, (_, line_bytes) in enumerate(self._pending.finished):
            if count and size + line_bytes > _REPORT_BYTES:
                return self._pending.finished[:count]
            size += line_bytes
        return list(self._pending.finished)

    def _begin(self, line: AssignedLine) -> None:
        if self._is_draining:
            self._pending.released.append(ReleasedLine(line.key, 0.0))
            return
        task = self._running[line.key] = asyncio.create_task(self._run_line(line))
        task.add_done_callback(lambda done: self._ended(line, done))

    def _ended(self, line: AssignedLine, task: asyncio.Task[None]) -> None:
        if self._running.get(line.key) is task:
            del self._running[line.key]
            if task.cancelled():  # by `drain`
                self._pending.released.append(ReleasedLine(line.key, 0.0))
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("batch %s, line %d failed and will be retried", *line.key, exc_info=error)
            self._pending.released.append(ReleasedLine(line.key, _PAUSE_S))
        self._has_ended.set()

    async def _run_line(self, line: AssignedLine) -> None:
        service = self._service()
        assert service is not None, "lines are only asked for once the service exists"
        request_id = uuid.uuid4().hex
        headers = {"content-type": "application/json", "accept-encoding": "identity", HEADER: request_id}
        transport = InProcessTransport(_scope(service, line.caller, line.key[0]))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", trust_env=False) as http:
            response = await http.post(line.endpoint, content=line.body, headers=headers, timeout=None)
        if response.status_code in _WAITED_OUT:
            self._pending.released.append(ReleasedLine(line.key, _pause_s(response)))
        else:
            self._pending.finished.append((_finished(line, response, request_id), len(response.content)))


def _finished(line: AssignedLine, response: httpx.Response, request_id: str) -> FinishedLine:
    status = response.status_code
    if len(response.content) > _MAX_RESPONSE_BYTES:
        error = InternalError(f"the response is larger than {_MAX_RESPONSE_BYTES} bytes: ask for less in one request")
        status, body = 500, error_body(error, request_id)
    else:
        body = response.json()
    return FinishedLine(line.key, status, {"status_code": status, "request_id": request_id, "body": body})


def _pause_s(response: httpx.Response) -> float:
    named = response.headers.get("retry-after", "")
    return min(float(named), _LONGEST_PAUSE_S) if named.isdigit() and int(named) else _PAUSE_S


def _scope(service: ASGIApp, caller: Caller, batch_id: str) -> Scope:
    """The scope that the requests have in common with one from outside. The batch stands for the client's address."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": (batch_id, 0),
        "root_path": "",
        "state": {},
        SERVICE: service,
        SENT_FOR: caller,
        IS_PART: True,
    }
