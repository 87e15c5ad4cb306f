"""question -> prompt -> tokens -> cited answer, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from rag.generate.citations import Citation
from rag.generate.text_assembler import CompletedText, TextAssembler
from rag.generate.verify import Verifier
from rag.ports import TokenStream
from rag.types import Hit, Prompt, StreamEnd, TextDelta, Usage

NOT_FOUND = "I found nothing about this in the documents."
NO_SOURCES = "no_sources"
"""The finish reason of an answer that says that nothing was found."""


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """First: the hits in the prompt, best first."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Last."""

    texts: tuple[CompletedText, ...]
    """One, unless the request wants several."""
    timings_ms: Mapping[str, float]
    note: str = ""
    """What could not be done as it was asked for, and why."""

    @property
    def finish_reason(self) -> str:
        """Of the first text, as are the others here."""
        return self.texts[0].finish_reason

    @property
    def stop_reason(self) -> str | int | None:
        return self.texts[0].stop_reason

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self.texts[0].citations

    @property
    def removed(self) -> int:
        """Numbers in marks that named no source."""
        return self.texts[0].removed

    @property
    def weakly_supported(self) -> int | None:
        return self.texts[0].weakly_supported


AnswerEvent = SourcesFound | TextDelta | Usage | Done


@dataclass(frozen=True, slots=True)
class PreparedAnswer:
    """Everything that can still be refused with a status, before the stream begins."""

    prompt: Prompt
    timings_ms: Mapping[str, float]
    note: str = ""
    key: str = ""
    """Names all that the prompt depends on; empty where answers are not kept."""
    started: float = 0.0
    """`time.perf_counter()` when the question came in."""
    queries: tuple[str, ...] = ()
    """What was searched for."""


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """How the pieces become an answer."""

    texts: int = 1
    """How many are wanted."""
    checks_marks: bool = True
    """Whether marks are looked for; else the texts pass as they are."""
    verifier: Verifier | None = None
    """Scores the cited sentences, where that is wanted."""


DEFAULT_OPTIONS = AnswerOptions()
"""As most requests want it."""


async def answer(
    prepared: PreparedAnswer, pieces: TokenStream | None, manner: AnswerOptions = DEFAULT_OPTIONS
) -> AsyncGenerator[AnswerEvent, None]:
    """The answer's events: sources, text, usage, done. Raises what the iteration of `pieces` raises.

    Args:
        pieces: What the language model writes; None when there are no sources to answer from.
    """
    sources = prepared.prompt.sources
    yield SourcesFound(sources)
    if pieces is None:
        for event in _nothing_found(prepared, manner.texts):
            yield event
        return
    texts = TextAssembler(sources if manner.checks_marks else None)
    first_token_ms = 0.0
    try:
        async for piece in pieces:
            if isinstance(piece, StreamEnd):
                break
            if (sent := texts.take(piece)) is not None:
                first_token_ms = first_token_ms or _since(prepared.started)
                yield sent
        else:
            return
    except Exception:
        for rest in texts.close():
            yield rest
        raise
    for rest in texts.close():
        yield rest
    yield piece.usage
    began = {"cached_answer" if piece.cached else "first_token": first_token_ms}
    yield await _done(prepared, texts.written(piece.all_ends()), manner.verifier, began)


async def _done(
    prepared: PreparedAnswer, texts: Sequence[CompletedText], verifier: Verifier | None, began: Mapping[str, float]
) -> Done:
    timings, note = {**prepared.timings_ms, **began}, prepared.note
    if verifier is not None:
        started = time.perf_counter()
        texts, why_not = await verifier.verify(texts, prepared.prompt.sources)
        timings["verify"] = _since(started)
        note = "; ".join(filter(None, (note, why_not)))
    return Done(tuple(texts), timings | {"total": _since(prepared.started)}, note)


def _nothing_found(prepared: PreparedAnswer, texts: int) -> tuple[AnswerEvent, ...]:
    """Saying so costs no token and invents nothing."""
    timings = {**prepared.timings_ms, "total": _since(prepared.started)}
    written = (CompletedText(NOT_FOUND, NO_SOURCES),) * texts
    said = [TextDelta(NOT_FOUND, index) for index in range(texts)]
    return *said, Usage(0, 0), Done(written, timings, prepared.note)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
