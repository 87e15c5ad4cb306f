"""Generates responses in the background: leases them from the catalog, and writes there what it generates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from rag.auth.caller import Caller, caller_from_header, current_caller
from rag.errors import DependencyUnavailable, Forbidden, InternalError, Overloaded, RagError, Unavailable
from rag.http.clients.remote_background import RemoteBackground
from rag.http.failures import logged_error
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.v1.responses.background.failure import failed_event
from rag.http.v1.responses.background.record import ResponseRecord
from rag.http.v1.responses.output.events import ResponseWriter
from rag.http.v1.responses.prepared_answer import PreparedAnswer
from rag.records import LeasedResponse

logger = logging.getLogger("rag.background")
MAX_ATTEMPTS = 3
"""Attempts that may be interrupted by the end of a process, or by a failure of the engine."""
_IDLE_S = 5.0
"""Pause between two looks for work that other processes have queued. A draining Retriever is left alone meanwhile, and
the connection to it closed, so that the next look may reach another replica."""
_WRITE_S = 0.2
_GIVE_UP_S = 2.0


Prepare: TypeAlias = Callable[[LeasedResponse], Awaitable[PreparedAnswer]]


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    at_once: int = 4
    """Responses that are generated at the same time."""
    timeout_s: float = 3600.0
    """Of one attempt."""
    retry_after_s: float = 5.0
    """After a dependency has failed."""


class BackgroundWorker:
    """Generates queued responses, one after the other or several at the same time.

    Args:
        prepare: Prepares the answer to a request.
        is_ready: Whether the services that it needs are there.
        check_tokens: Raises RateLimitExceeded if the caller has used all its tokens.
    """

    def __init__(
        self,
        queue: RemoteBackground,
        prepare: Prepare,
        is_ready: Callable[[], bool],
        check_tokens: Callable[[Caller], Awaitable[None]],
        options: WorkerOptions,
    ) -> None:
        self._queue = queue
        self._prepare = prepare
        self._is_ready = is_ready
        self._check_tokens = check_tokens
        self._options = options
        self._running: set[asyncio.Task[None]] = set()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_leasing())

    def wake(self) -> None:
        """Look for work now."""
        self._wanted.set()

    async def close(self) -> None:
        """Give up all running responses. Another process, or this one after its restart, begins them again."""
        tasks = [*self._running, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_leasing(self) -> None:
        while True:
            self._wanted.clear()
            if (leased := await self._lease()) is not None:
                task = asyncio.create_task(self._generate(leased))
                self._running.add(task)
                task.add_done_callback(self._ended)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S):
                    await self._wanted.wait()

    async def _lease(self) -> LeasedResponse | None:
        if len(self._running) >= self._options.at_once or not self._is_ready():
            return None
        try:
            return await self._queue.lease()
        except RagError:  # tried again soon
            return None
        except Exception:
            logger.exception("leasing a background response failed; retrying in %g s", _IDLE_S)
            return None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wanted.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a response in the background will be generated again", exc_info=error)

    async def _generate(self, leased: LeasedResponse) -> None:
        current_caller.set(caller_from_header(leased.caller))
        current_request_id.set(leased.request_id)
        record = ResponseRecord(self._queue, leased, lambda error: failed_event(leased.response, error))
        attempt = asyncio.create_task(self._attempt(leased, record))
        try:
            is_valid = True
            while is_valid and not attempt.done() and not record.was_refused:
                await asyncio.wait({attempt}, timeout=_WRITE_S)
                is_valid = record.has_ended or await record.write()
            await _stop(attempt)
            while is_valid and (is_valid := await record.write()):
                await asyncio.sleep(_WRITE_S)
        except asyncio.CancelledError:
            await _stop(attempt)
            if not record.has_ended:
                record.give_up(0.0, is_counted=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GIVE_UP_S):
                    await record.write()
            raise

    async def _attempt(self, leased: LeasedResponse, record: ResponseRecord) -> None:
        """Generate the response. Afterwards the record has ended, even after errors, unless this task was cancelled."""
        writer: ResponseWriter | None = None
        try:
            await self._check(leased)
            async with in_time(self._options.timeout_s):
                answer = await self._prepare(leased)
                writer = answer.writer
                async with answer.source as events:
                    async for event in writer.events(events):
                        record.add(event)
            if not record.has_ended:
                raise InternalError("the answer ended before it was complete")
        except Exception as failure:
            error = logged_error(failure, "a response in the background failed")
            if not self._is_postponed(leased, record, error):
                record.add(failed_event(leased.response, error) if writer is None else writer.form.failure(error))

    async def _check(self, leased: LeasedResponse) -> None:
        if leased.refusal:
            raise Forbidden(leased.refusal)
        if leased.attempts > MAX_ATTEMPTS:
            raise InternalError(f"the response was begun {MAX_ATTEMPTS} times and interrupted each time")
        await self._check_tokens(caller_from_header(leased.caller))

    def _is_postponed(self, leased: LeasedResponse, record: ResponseRecord, error: RagError) -> bool:
        """Whether another attempt may succeed, later."""
        is_counted = isinstance(error, DependencyUnavailable)
        if not isinstance(error, Overloaded | Unavailable) or (is_counted and leased.attempts >= MAX_ATTEMPTS):
            return False
        after_s = float(error.retry_after_s) if isinstance(error, Overloaded) else self._options.retry_after_s
        record.give_up(after_s, is_counted=is_counted)
        return True


async def _stop(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait for its clean-up, which stops the engine."""
    task.cancel()
    await asyncio.wait({task})
