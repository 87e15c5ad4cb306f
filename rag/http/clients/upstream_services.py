"""Probes the services that a service depends on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping

from rag.errors import DeadlineExceeded, RagError, Starting
from rag.http.clients.service_client import ServiceClient
from rag.poller import Poller
from rag.telemetry.http import READY
from rag.types import Facts

logger = logging.getLogger("rag.readiness")

_STARTING_S = 0.5
_STEADY_S = 1.0
_FRESH_S = 0.3
_MAX_MISSED = 3
"""Consecutive unanswered probes after which requests are refused: a busy service may miss one without being down."""


class UpstreamServices:
    """Probes each service regularly, each with its own deadline (docs/bentoml_issues.md#b19)."""

    def __init__(
        self, clients: Mapping[str, ServiceClient], *, ready_message: Callable[[], str] = lambda: "ready"
    ) -> None:
        self.clients = clients
        self._ready_message = ready_message
        self._facts: dict[str, Facts | RagError] = {name: Starting(f"{name} is starting") for name in clients}
        self._probed = dict(self._facts)
        """Result of the last probe of each service. Requests are accepted or refused by `_facts`."""
        self._missed = Counter[str]()
        self._ready_before: set[str] = set()
        self._checked_at = 0.0
        self._lock = asyncio.Lock()
        self._announced = ""
        self._poller = Poller(self._poll)

    def start(self) -> None:
        self._poller.start()

    def require(self, name: str) -> Facts:
        """The service's report from the last probe.

        Raises:
            RagError: why it is not ready.
        """
        return _facts_or_raise(self._facts[name])

    def facts(self, name: str) -> Facts | None:
        """As `require`, but None if the service is not ready."""
        facts = self._facts[name]
        return None if isinstance(facts, RagError) else facts

    async def ready(self) -> Facts:
        """The current report of each service, by name, including services that one of them reports under `services`.

        Raises:
            RagError: why a service is not ready; for the first one that is not.
        """
        await self._check()
        reports: dict[str, Facts] = {}
        for name, probed in self._probed.items():
            facts = dict(_facts_or_raise(probed))
            behind = facts.pop("services", {})
            reports |= {name: facts, **behind}
        return {"services": reports}

    async def hold(self) -> None:
        """Keep all services alive until this call is cancelled."""
        await asyncio.gather(*(client.hold() for client in self.clients.values()))

    async def close(self) -> None:
        self._poller.stop()
        await asyncio.gather(*(client.close() for client in self.clients.values()))

    async def _poll(self) -> float:
        await self._check()
        if (summary := self._summary()) != self._announced:
            logger.info("%s", summary)
            self._announced = summary
        return _STEADY_S if self._all_ready() else _STARTING_S

    async def _check(self) -> None:
        async with self._lock:
            if time.monotonic() - self._checked_at < _FRESH_S:
                return
            names = list(self.clients)
            reports = await asyncio.gather(*(self._probe(name) for name in names))
            self._probed.update(zip(names, reports, strict=True))
            self._facts.update(
                (name, probed) for name, probed in self._probed.items() if self._is_decisive(name, probed)
            )
            self._checked_at = time.monotonic()
            for name, state in self._facts.items():
                READY.labels(name).set(not isinstance(state, RagError))

    def _is_decisive(self, name: str, probed: Facts | RagError) -> bool:
        """Whether this result changes the service's state. The first unanswered probes of a ready service do not."""
        if not isinstance(probed, DeadlineExceeded):
            self._missed[name] = 0
            return True
        self._missed[name] += 1
        return self._missed[name] >= _MAX_MISSED

    async def _probe(self, name: str) -> Facts | RagError:
        try:
            facts = await self.clients[name].ready()
            self._ready_before.add(name)
            return facts
        except DeadlineExceeded as error:
            # It has never responded, so it is still importing its libraries.
            return error if name in self._ready_before else Starting(f"{name} is starting")
        except RagError as error:
            return error

    def _all_ready(self) -> bool:
        return not any(isinstance(facts, RagError) for facts in self._facts.values())

    def _summary(self) -> str:
        waiting = [facts for facts in self._facts.values() if isinstance(facts, RagError)]
        if not waiting:
            return self._ready_message()
        # Without the elapsed seconds, which would make every log line different.
        return "waiting: " + "; ".join(error.message.split(" (")[0] for error in waiting)


def _facts_or_raise(facts: Facts | RagError) -> Facts:
    if isinstance(facts, RagError):
        raise type(facts)(facts.message)
    return facts
