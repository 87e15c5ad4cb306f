"""The texts of an answer, as they are being written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.generate.citation_filter import CitationFilter
from rag.generate.citations import Citation
from rag.types import Hit, TextDelta, TextEnd


@dataclass(frozen=True, slots=True)
class CompletedText:
    """One text that was sent, and what became of it."""

    text: str
    finish_reason: str
    stop_reason: str | int | None = None
    citations: tuple[Citation, ...] = ()
    removed: int = 0
    """Numbers in marks that named no source; the text is without them."""
    weakly_supported: int | None = None
    """Citations whose source says too little of it; None: nobody looked."""


class TextAssembler:
    """Args:
    sources: What marks can name; None: marks are not looked for.
    """

    def __init__(self, sources: Sequence[Hit] | None) -> None:
        self._sources = sources
        self._filters: dict[int, CitationFilter] = {}
        self._sent: dict[int, list[str]] = {}

    def take(self, piece: TextDelta) -> TextDelta | None:
        """What of the piece can be sent now."""
        marks = self._filter(piece.index)
        sent = piece if marks is None else replace(piece, text=marks.feed(piece.text))
        self._sent.setdefault(piece.index, []).append(sent.text)
        return sent if sent.text or sent.logprobs or sent.tool_calls else None

    def close(self) -> Iterator[TextDelta]:
        """What was held back of each text: nothing comes after it."""
        for index, marks in self._filters.items():
            if rest := marks.close():
                self._sent[index].append(rest)
                yield TextDelta(rest, index)

    def written(self, ends: Sequence[TextEnd]) -> tuple[CompletedText, ...]:
        return tuple(self._one(index, end) for index, end in enumerate(ends))

    def _one(self, index: int, end: TextEnd) -> CompletedText:
        text = "".join(self._sent.get(index, ()))
        if (marks := self._filters.get(index)) is None:
            return CompletedText(text, end.finish_reason, end.stop_reason)
        return CompletedText(text, end.finish_reason, end.stop_reason, tuple(marks.citations), marks.removed)

    def _filter(self, index: int) -> CitationFilter | None:
        if self._sources is None:
            return None
        if index not in self._filters:
            self._filters[index] = CitationFilter(self._sources)
        return self._filters[index]
