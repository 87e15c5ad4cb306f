"""Interfaces to the other services of the bundle."""

from __future__ import annotations

from typing import Protocol

from rag.types import Facts, JsonMapping, PreparedPrompt


class PromptPreparer(Protocol):
    """Turns a question into a prompt: searches the documents and fits the best passages into the context."""

    async def prepare(self, request: JsonMapping) -> PreparedPrompt:
        """The prompt of an answer.

        Args:
            request: The fields of `rag.http.bodies.wire.PrepareRequest`.

        Raises:
            RagError: the Retriever refuses the request; any subclass.
        """
        ...


class ServiceFacts(Protocol):
    """Which services are ready, and what they report about themselves."""

    def require(self, name: str) -> Facts:
        """What a service reports, as of the last readiness check. The `LLM` reports `context_tokens`.

        Raises:
            RagError: the service is not ready; says why.
        """
        ...
