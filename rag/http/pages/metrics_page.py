"""`/metrics`: what Prometheus reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from rag.errors import RagError
from rag.http.clients.service_client import ServiceClient
from rag.telemetry.exposition import merged, own_metrics

logger = logging.getLogger("rag.metrics")
_TIMEOUT_S = 3.0


class MetricsPage:
    """The metrics of a service and of the services that the same `bentoml serve` has started.

    A service at a configured URL may have several replicas, of which a request reaches only one. Prometheus reads
    each of them itself.

    Args:
        service: The service's name.
        clients: Of the services that this one calls.
        update: Updates gauges that are only computed for a scrape. Runs in a thread.
    """

    def __init__(
        self, service: str, clients: Iterable[ServiceClient] = (), update: Callable[[], None] = lambda: None
    ) -> None:
        self._service = service
        self._local = [client for client in clients if client.is_local]
        self._update = update
        self._one_at_a_time = asyncio.Lock()

    async def text(self) -> str:
        async with self._one_at_a_time:
            *texts, _ = await asyncio.gather(*map(_metrics_of, self._local), self._updated())
            return merged([own_metrics(self._service), *texts])

    async def _updated(self) -> str:
        try:
            await asyncio.to_thread(self._update)
        except RagError as error:
            logger.warning("some metrics are out of date: %s", error.message)
        return ""


async def _metrics_of(client: ServiceClient) -> str:
    """The metrics of one service; empty if it does not answer, so that those of the others are still returned."""
    try:
        return await client.metrics(_TIMEOUT_S)
    except RagError as error:
        logger.warning("the metrics of %s are missing: %s", client.name, error.message)
        return ""
