"""What the LLM service says of its engine, for services that can do without it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from rag.errors import RagError, Starting
from rag.http.clients.service_client import ServiceClient

_ASK_EVERY_S = 1.0


class EngineFacts:
    """Asked for in the background until they are known; they do not change while the engine lives."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._facts: Mapping[str, Any] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._ask())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def context_tokens(self) -> int:
        """The context's length. Raises Starting while the engine has not been ready."""
        return int(self._known("context_tokens"))

    @property
    def model(self) -> str:
        """Empty while it is not known."""
        return str(self._facts["model"]) if self._facts else ""

    def _known(self, name: str) -> Any:
        if self._facts is None:
            raise Starting("the language model is starting")
        return self._facts[name]

    async def _ask(self) -> None:
        while self._facts is None:
            try:
                self._facts = await self._client.ready()
            except RagError:
                await asyncio.sleep(_ASK_EVERY_S)
