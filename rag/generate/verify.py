"""Verifies citations: scores each cited sentence against the text of its source."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from rag.errors import RagError
from rag.generate.citations import Citation
from rag.generate.cited_sentences import cited_sentences
from rag.generate.events import CompletedText
from rag.types import Hit

SentenceAndSource = tuple[str, str]
"""A sentence, and the text of the source that it cites."""
NOT_VERIFIED = "citations are not verified: the encoder did not answer in time"
VERIFY_TIMEOUT_S = 5.0
_log = logging.getLogger("rag.verify")


@dataclass(frozen=True, slots=True)
class Verifier:
    """Scores how well sources support the sentences that cite them."""

    score: Callable[[Sequence[SentenceAndSource]], Awaitable[Sequence[float]]]
    """Returns one score in [0, 1] for each pair. May raise RagError."""
    weak_below: float
    """Citations with a lower score count as weakly supported."""
    timeout_s: float = VERIFY_TIMEOUT_S

    async def verify(
        self, texts: Sequence[CompletedText], sources: Sequence[Hit]
    ) -> tuple[tuple[CompletedText, ...], str]:
        """The texts with scores for their citations; if that fails, the unchanged texts and a note that says so."""
        pairs = [_pairs(text, sources) for text in texts]
        distinct = list(dict.fromkeys(pair for of_text in pairs for pair in of_text))
        try:
            async with asyncio.timeout(self.timeout_s):
                scores = dict(zip(distinct, await self.score(distinct), strict=True)) if distinct else {}
        except (TimeoutError, RagError) as error:
            _log.warning("citations were not verified: %s", error or "timeout")
            return tuple(texts), NOT_VERIFIED
        return tuple(
            self._verified(text, [scores[pair] for pair in of_text]) for text, of_text in zip(texts, pairs, strict=True)
        ), ""

    def _verified(self, text: CompletedText, scores: Sequence[float]) -> CompletedText:
        citations = tuple(map(self._scored, text.citations, scores))
        return replace(text, citations=citations, weakly_supported=sum(citation.weak for citation in citations))

    def _scored(self, citation: Citation, score: float) -> Citation:
        rounded = round(score, 4)
        return replace(citation, score=rounded, weak=rounded < self.weak_below)


def _pairs(text: CompletedText, sources: Sequence[Hit]) -> list[SentenceAndSource]:
    sentences = cited_sentences(text.text, text.citations)
    return [
        (sentence, sources[citation.index - 1].chunk.text)
        for sentence, citation in zip(sentences, text.citations, strict=True)
    ]
