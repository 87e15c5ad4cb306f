"""What a service knows of the services it depends on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rag.errors import DeadlineExceeded, RagError, Starting
from rag.http.clients.service_client import ServiceClient

logger = logging.getLogger("rag.readiness")

_STARTING_S = 0.5
_STEADY_S = 1.0
_FRESH_S = 0.3
_PATIENCE = 3
"""Probes in a row that may go unanswered before requests are refused: a machine that is busy is slow, not gone."""


class UpstreamServices:
    """Polls each dependency for readiness; each probe has a deadline (docs/bentoml_issues.md#b19)."""

    def __init__(self, clients: Mapping[str, ServiceClient], *, ready_message: str = "") -> None:
        self.clients = clients
        self._ready_message = ready_message
        self._facts: dict[str, Mapping[str, Any] | RagError] = {
            name: Starting(f"{name} is starting") for name in clients
        }
        self._probed = dict(self._facts)
        """What the last probe of each said; `_facts` is what requests go by."""
        self._missed = Counter[str]()
        self._been_ready: set[str] = set()
        self._checked_at = 0.0
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._poll())

    def require(self, name: str) -> Mapping[str, Any]:
        """Facts about a dependency as of the last check.

        Raises:
            RagError: why it is not ready.
        """
        return _facts_or_raise(self._facts[name])

    def facts(self, name: str) -> Mapping[str, Any] | None:
        """As `require`; None when it is not ready."""
        facts = self._facts[name]
        return None if isinstance(facts, RagError) else facts

    async def ready(self) -> Mapping[str, Any]:
        """Facts by name, asked for now.

        Raises:
            RagError: the first that is not ready, and why.
        """
        await self._check()
        return {"services": {name: _facts_or_raise(probed) for name, probed in self._probed.items()}}

    async def hold(self) -> None:
        """Keep all of them alive until cancelled."""
        await asyncio.gather(*(client.hold() for client in self.clients.values()))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await asyncio.gather(*(client.close() for client in self.clients.values()))

    async def _poll(self) -> None:
        announced = ""
        while True:
            await self._check()
            if (summary := self._summary()) != announced:
                logger.info("%s", summary)
                announced = summary
            await asyncio.sleep(_STEADY_S if summary == self._ready_message else _STARTING_S)

    async def _check(self) -> None:
        async with self._lock:
            if time.monotonic() - self._checked_at < _FRESH_S:
                return
            names = list(self.clients)
            found = await asyncio.gather(*(self._ask(name) for name in names))
            self._probed.update(zip(names, found, strict=True))
            self._facts.update((name, probed) for name, probed in self._probed.items() if self._counts(name, probed))
            self._checked_at = time.monotonic()

    def _counts(self, name: str, probed: Mapping[str, Any] | RagError) -> bool:
        """Whether requests go by it: not by the first probes that a ready service did not answer in time."""
        if not isinstance(probed, DeadlineExceeded):
            self._missed[name] = 0
            return True
        self._missed[name] += 1
        return self._missed[name] >= _PATIENCE

    async def _ask(self, name: str) -> Mapping[str, Any] | RagError:
        try:
            facts = await self.clients[name].ready()
            self._been_ready.add(name)
            return facts
        except DeadlineExceeded as error:
            # A service that has not answered once is still importing its libraries.
            return error if name in self._been_ready else Starting(f"{name} is starting")
        except RagError as error:
            return error

    def _summary(self) -> str:
        waiting = [facts for facts in self._facts.values() if isinstance(facts, RagError)]
        if not waiting:
            return self._ready_message
        # Seconds would make each line new.
        return "waiting: " + "; ".join(error.message.split(" (")[0] for error in waiting)


def _facts_or_raise(facts: Mapping[str, Any] | RagError) -> Mapping[str, Any]:
    if isinstance(facts, RagError):
        raise type(facts)(facts.message)
    return facts
