"""Collects audit events at the edge and sends them to the catalog in batches."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

from starlette.types import Scope

from rag.auth.audit import AuditEvent, new_entry_id, safe_value
from rag.auth.caller import Caller
from rag.errors import Overloaded, RagError
from rag.http.auth.admission import CALLER
from rag.http.auth.route_table import RequestedRoute, RouteTable

logger = logging.getLogger("rag.audit")

WriteEvents: TypeAlias = Callable[[Sequence[AuditEvent]], Awaitable[None]]
_REFUSED = (401, 403, 429)
_INTERVAL_S = 1.0
"""Pause between batches. Identical refusals within it become one event, so nobody can fill the catalog with them."""
_MAX_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """How a request ended."""

    status: int
    error_code: str
    request_id: str
    object_id: str


class AuditTrail:
    """Collects the events of requests in memory and writes them in the background.

    Writing is retried if it fails. Events that are left at shutdown, or that exceed the buffer, are written to the log.

    Args:
        everything: Whether questions and reads are noted, not only changes, the management of keys, and refusals.
    """

    def __init__(self, routes: RouteTable, *, everything: bool = False, interval_s: float = _INTERVAL_S) -> None:
        self._routes = routes
        self._everything = everything
        self._interval_s = interval_s
        self._write: WriteEvents | None = None
        self._pending: dict[Hashable, AuditEvent] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False

    def start(self, write: WriteEvents) -> None:
        self._write = write
        self._task = asyncio.create_task(self._keep_writing())

    async def close(self) -> None:
        """Write what is pending, for the last time."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._flush()
        for event in self._pending.values():
            _log(event, "the service is stopping")

    def note(self, scope: Scope, outcome: RequestOutcome) -> None:
        """Note a request that has ended, if the audit log should have it."""
        is_refused = outcome.status in _REFUSED and outcome.error_code != Overloaded.code
        route = self._routes.find(scope["method"], scope["path"])
        if is_refused or route.changes or (self._everything and route.scopes):
            event = _event(scope, route, outcome)
            self._add(_same_refusals(event) if is_refused else object(), event)

    def _add(self, key: Hashable, event: AuditEvent) -> None:
        if (known := self._pending.get(key)) is not None:
            self._pending[key] = replace(known, requests=known.requests + 1)
        elif len(self._pending) < _MAX_PENDING:
            self._pending[key] = event
        else:
            _log(event, "too many entries are waiting")
        self._wanted.set()

    async def _keep_writing(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._flush()
            await asyncio.sleep(self._interval_s)

    async def _flush(self) -> None:
        if not self._pending or self._write is None:
            return
        events, self._pending = self._pending, {}
        try:
            await self._write(list(events.values()))
        except BaseException as error:
            self._pending = {**events, **self._pending}
            self._wanted.set()
            if not isinstance(error, Exception):
                raise
            self._failed(error)
        else:
            self._is_failing = False

    def _failed(self, error: Exception) -> None:
        if not self._is_failing:
            unexpected = None if isinstance(error, RagError) else error
            text = "the audit log cannot be written, %d entries wait: %s"
            logger.error(text, len(self._pending), error, exc_info=unexpected)
        self._is_failing = True


def _event(scope: Scope, route: RequestedRoute, outcome: RequestOutcome) -> AuditEvent:
    caller: Caller | None = scope.get(CALLER)
    address, _ = scope.get("client") or ("", 0)
    targets = {**route.ids, **({"id": outcome.object_id} if outcome.object_id else {})}
    return AuditEvent(
        entry_id=new_entry_id(),
        at=time.time(),
        key_id="" if caller is None else caller.key_id,
        tenant="" if caller is None else caller.tenant,
        action=route.action,
        route=f"{safe_value(scope['method'])[:16]} {route.template}",
        address=safe_value(address or "")[:64],
        status=outcome.status,
        error_code=outcome.error_code,
        request_id=outcome.request_id,
        targets={name: safe_value(value) for name, value in targets.items()},
    )


def _same_refusals(event: AuditEvent) -> Hashable:
    """Without a valid key any route is refused, so such refusals are grouped regardless of their route."""
    action = "" if event.status == 401 else event.action
    return event.status, event.error_code, event.address, event.key_id, action


def _log(event: AuditEvent, reason: str) -> None:
    logger.error("not in the audit log, because %s: %s", reason, json.dumps(asdict(event)))
