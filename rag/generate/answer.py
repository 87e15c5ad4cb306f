"""question -> prompt -> tokens -> cited answer, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from rag.generate.citations import Citation, find_citations
from rag.ports import Pieces
from rag.retrieve.prompt import NOT_FOUND
from rag.types import Finished, Hit, Prompt, TextPiece, Usage

NO_SOURCES = "no_sources"
"""The finish reason of an answer that says that nothing was found."""


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """First: the hits in the prompt, best first."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Last."""

    finish_reason: str
    citations: tuple[Citation, ...]
    timings_ms: Mapping[str, float]
    note: str = ""
    """What could not be done as it was asked for, and why."""


AnswerEvent = SourcesFound | TextPiece | Usage | Done


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that can still be refused with a status, before the stream begins."""

    prompt: Prompt
    timings_ms: Mapping[str, float]
    note: str = ""
    key: str = ""
    """Names all that the prompt depends on; empty where answers are not kept."""
    started: float = 0.0
    """`time.perf_counter()` when the question came in."""


async def answer(prepared: Prepared, pieces: Pieces | None) -> AsyncGenerator[AnswerEvent, None]:
    """The answer's events: sources, text, usage, done. Raises what the iteration of `pieces` raises.

    Args:
        pieces: What the language model writes; None when there are no sources to answer from.
    """
    sources = prepared.prompt.sources
    yield SourcesFound(sources)
    if pieces is None:
        for event in _nothing_found(prepared):
            yield event
        return
    text: list[str] = []
    first_token_ms = 0.0
    async for piece in pieces:
        if isinstance(piece, Finished):
            yield piece.usage
            began = "cached_answer" if piece.cached else "first_token"
            timings = {**prepared.timings_ms, began: first_token_ms, "total": _since(prepared.started)}
            citations = tuple(find_citations("".join(text), sources))
            yield Done(piece.finish_reason, citations, timings, prepared.note)
            return
        first_token_ms = first_token_ms or _since(prepared.started)
        text.append(piece.text)
        yield piece


def _nothing_found(prepared: Prepared) -> tuple[AnswerEvent, ...]:
    """Saying so costs no token and invents nothing."""
    timings = {**prepared.timings_ms, "total": _since(prepared.started)}
    return TextPiece(NOT_FOUND), Usage(0, 0), Done(NO_SOURCES, (), timings, prepared.note)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
