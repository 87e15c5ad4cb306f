"""The Retriever's `/verify`: scores cited sentences against their sources for the edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from rag.generate.verify import SentenceAndSource
from rag.http.clients.service_client import ServiceClient
from rag.http.validation.wire_model import WireModel

MAX_PAIRS = 1024


class VerifyRequest(WireModel):
    """Between services: sentences of an answer, each with the text that it cites."""

    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        description="Sentence and source.", min_length=1, max_length=MAX_PAIRS
    )


class VerifyResponse(BaseModel):
    scores: list[float] = Field(description="Scores in [0, 1], in the order of the pairs.")


class RemoteSupport:
    """The Retriever service as the scoring function of a `rag.generate.verify.Verifier`."""

    def __init__(self, client: ServiceClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def scores(self, pairs: Sequence[SentenceAndSource]) -> list[float]:
        """One score in [0, 1] for each pair. Raises RagError."""
        body = {"pairs": [list(pair) for pair in pairs]}
        answer = await self._client.call("/verify", body, timeout_s=self._timeout_s)
        scores: list[float] = answer["scores"]
        return scores
