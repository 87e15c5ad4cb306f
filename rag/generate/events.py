"""The events of an answer, which every API of the bundle maps to its own wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rag.generate.citations import Citation
from rag.types import AnswerStyle, Hit, ReasoningDelta, TextDelta, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """The first event of an answer from documents."""

    hits: tuple[Hit, ...]
    """The passages in the prompt, best first; empty if nothing relevant was found."""
    queries: tuple[str, ...] = ()
    """The queries that were searched."""
    top_k: int | None = None
    """The maximum number of passages of this search."""


@dataclass(frozen=True, slots=True)
class CompletedText:
    """One text of an answer, as it was sent."""

    text: str
    finish_reason: str
    stop_reason: str | int | None = None
    citations: tuple[Citation, ...] = ()
    citations_removed: int = 0
    """Source numbers that named no source and were removed from the text."""
    weakly_supported: int | None = None
    """Citations that their source barely supports; None if citations were not verified."""
    prompt_logprobs: tuple[TokenLogprob | None, ...] = ()
    """The log probabilities of the prompt's tokens, if the request asks for them."""


@dataclass(frozen=True, slots=True)
class Done:
    """The last event. Its properties are those of the first text."""

    texts: tuple[CompletedText, ...]
    """One, unless the request asks for several (`n`)."""
    timings_ms: Mapping[str, float]
    note: str = ""
    """What could not be done as requested, and why."""
    style: AnswerStyle | None = None
    """None if no documents were searched."""
    confidence: float | None = None
    """The confidence of a quoted answer; see `rag.types.PreparedPrompt`."""

    @property
    def finish_reason(self) -> str:
        return self.texts[0].finish_reason

    @property
    def stop_reason(self) -> str | int | None:
        return self.texts[0].stop_reason

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self.texts[0].citations

    @property
    def citations_removed(self) -> int:
        return self.texts[0].citations_removed

    @property
    def weakly_supported(self) -> int | None:
        return self.texts[0].weakly_supported


AnswerEvent: TypeAlias = SourcesFound | ReasoningDelta | TextDelta | Usage | Done
AnswerStream: TypeAlias = AsyncIterator[AnswerEvent]
"""`SourcesFound` (only if documents were searched), many `ReasoningDelta` (only if the model thinks), many `TextDelta`,
`Usage`, `Done`. With several texts, deltas of both kinds may alternate."""
