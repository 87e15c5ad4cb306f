"""Passages that are cut at paragraphs where it can be, then at lines, sentences, words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semantic_text_splitter import TextSplitter

from rag.chunkers.chunker import MAX_CHARS, Span, passages, sections
from rag.types import Extract, Passage


@dataclass(frozen=True, slots=True)
class RecursiveChunker:
    """See `rag.chunkers.Chunker`. Passages get as full as they can."""

    max_chars: int = 512
    """Characters in a passage at most."""
    overlap_chars: int = 51
    """That may repeat the end of the passage before; fewer than `max_chars`."""

    def chunk(self, extract: Extract) -> list[Passage]:
        return passages(extract, recursive_spans(extract.text, self.max_chars, self.overlap_chars))


def recursive_spans(text: str, max_chars: int, overlap_chars: int = 0) -> Iterator[Span]:
    """The parts in order, without white space around them; none larger than `max_chars`, nor than `MAX_CHARS`."""
    capacity = min(max_chars, MAX_CHARS)
    splitter = TextSplitter(capacity, overlap=min(overlap_chars, capacity - 1))
    for section_start, section in sections(text):
        for start, part in splitter.chunk_indices(section):
            yield section_start + start, section_start + start + len(part)
