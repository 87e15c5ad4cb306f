"""The lifecycle of a service process: readiness, requests in flight, and a graceful shutdown.

On SIGTERM BentoML's supervisor signals all processes at once, although requests still need them
(docs/bentoml_issues.md#b6). Here SIGTERM only starts a drain:

- the edge (the service `RAG`) refuses new requests with `draining`, finishes those in flight, then exits;
- until then it holds a *lease* (an open request) on each service it depends on;
- these continue to serve until they have had no request and no lease for a short while.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import logging
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from types import FrameType

from starlette.types import ASGIApp

from rag.errors import Draining, RagError, Starting
from rag.telemetry.exposition import own_metrics

logger = logging.getLogger("rag.lifecycle")

Probe = Callable[[], Awaitable[Mapping[str, object]]]
"""Returns facts about a service that is ready; raises a RagError if it is not."""

MetricsSource = Callable[[], Awaitable[str]]

LEASE_PATH = "/-/hold"
"""A request to this path stays open until its sender disconnects: the lease that keeps a draining service alive."""
_IDLE_S = 1.5
"""Seconds without a request after which a draining service exits; longer than a lease takes to arrive."""
_STOP_S = 6.0
"""Seconds that the HTTP server may take to stop when nothing is in flight, before the process is killed."""


class Lifecycle:
    """The state of one service process. Created at import, completed by the service's constructor."""

    def __init__(
        self, name: str, *, is_edge: bool = False, drain_timeout_s: float = 600.0, idle_s: float = _IDLE_S
    ) -> None:
        self.name = name
        self.is_edge = is_edge
        self.draining = False
        self.in_flight = 0
        self.service: ASGIApp | None = None
        """The application with its middleware, once it exists: what the service itself sends requests to."""
        self._drain_timeout_s = drain_timeout_s
        self._idle_s = idle_s
        self._last_activity = time.monotonic()
        self._probe: Probe | None = None
        self._metrics: MetricsSource | None = None
        self._on_drain: list[Callable[[], Awaitable[None]]] = []
        self._on_ready: list[Callable[[], None]] = []
        self._server_handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def on_probe(self, probe: Probe) -> None:
        """Set the function that readiness calls; until then the service is starting."""
        self._probe = probe

    def on_metrics(self, source: MetricsSource) -> None:
        """Set the function that returns the metrics; until then they are those of this process."""
        self._metrics = source

    async def metrics(self) -> str:
        """The metrics that Prometheus reads, as text."""
        return own_metrics(self.name) if self._metrics is None else await self._metrics()

    def on_drain(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` once, in the background, when the drain starts."""
        self._on_drain.append(action)

    def on_ready(self, action: Callable[[], None]) -> None:
        """Run `action` once, when a probe first finds the service ready."""
        self._on_ready.append(action)

    async def ready(self) -> Mapping[str, object]:
        """Facts about this service, if it is ready.

        Raises:
            Draining, Starting, DependencyUnavailable: the service is not ready.
        """
        if self.draining and self.is_edge:
            raise Draining(f"{self.name} is shutting down")
        if self._probe is None:
            raise Starting(f"{self.name} is starting")
        facts = await self._probe()
        while self._on_ready:
            self._on_ready.pop()()
        return facts

    def refusal(self) -> RagError | None:
        """The error for a new request, or None if it is accepted. Only the edge refuses requests while it drains."""
        if self.draining and self.is_edge:
            return Draining("the service is shutting down; send the request to another replica or try again soon")
        return None

    def enter(self) -> None:
        self.in_flight += 1
        self._last_activity = time.monotonic()

    def leave(self) -> None:
        self.in_flight -= 1
        self._last_activity = time.monotonic()

    def install_signal_handlers(self) -> None:
        """Handle SIGTERM and SIGINT from now on; call inside the running event loop, on the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        end_with_parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._server_handlers[number] = signal.getsignal(number)
            signal.signal(number, lambda n, frame: self._on_signal(loop, n, frame))

    def _on_signal(self, loop: asyncio.AbstractEventLoop, number: int, frame: FrameType | None) -> None:
        if self.draining:
            if number == signal.SIGINT:  # a second Ctrl-C: do not wait
                self._stop_server(number, frame)
            return
        self.draining = True
        _end_after(self._drain_timeout_s + _STOP_S)
        loop.call_soon_threadsafe(lambda: loop.create_task(self._drain(number)))

    async def _drain(self, number: int) -> None:
        logger.info("%s: draining, %d requests in flight", self.name, self.in_flight)
        self._last_activity = time.monotonic()  # wait for the edge's lease to arrive
        actions = [asyncio.ensure_future(action()) for action in self._on_drain]
        deadline = time.monotonic() + self._drain_timeout_s
        while not self._is_done() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for action in actions:
            action.cancel()
        logger.info("%s: drained, %d requests still in flight", self.name, self.in_flight)
        self._stop_server(number, None)

    def _is_done(self) -> bool:
        if self.in_flight:
            return False
        return self.is_edge or time.monotonic() - self._last_activity > self._idle_s

    def _stop_server(self, number: int, frame: FrameType | None) -> None:
        """Call uvicorn's own handler, and kill the process if that takes too long."""
        _end_after(_STOP_S)
        handler = self._server_handlers.get(number)
        if callable(handler):
            handler(number, frame)


def _end_after(seconds: float) -> None:
    """Kill this process after a timeout.

    The timer runs in C and needs neither the event loop nor the interpreter, either of which may be what hangs. The
    engine's processes end as well (`rag.adapters.vllm.parent_watchdog`).
    """
    faulthandler.dump_traceback_later(seconds, exit=True)


def end_with_parent() -> None:
    """Ask Linux to send SIGTERM to this process when its supervisor dies."""
    if sys.platform != "linux":
        return
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)
