"""What the LLM service reports about its engine, for services that can start without it."""

from __future__ import annotations

from rag.errors import RagError, Starting
from rag.http.clients.service_client import ServiceClient
from rag.poller import Poller
from rag.types import Facts

_POLL_S = 1.0


class EngineFacts:
    """The engine's facts, requested in the background until the LLM service has answered once. They never change."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._facts: Facts | None = None
        self._poller = Poller(self._poll)

    def start(self) -> None:
        self._poller.start()

    def stop(self) -> None:
        self._poller.stop()

    def context_tokens(self) -> int:
        """The context length. Raises Starting until the engine has been ready once."""
        if self._facts is None:
            raise Starting("the language model is starting")
        return int(self._facts["context_tokens"])

    @property
    def model(self) -> str:
        """The language model's name; empty until the engine has been ready once."""
        return str(self._facts["model"]) if self._facts else ""

    async def _poll(self) -> float | None:
        try:
            self._facts = await self._client.ready()
        except RagError:
            return _POLL_S
        return None
