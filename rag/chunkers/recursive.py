"""Splits at paragraphs if possible, otherwise at lines, sentences or words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semantic_text_splitter import TextSplitter

from rag.chunkers.chunker import MAX_CHARS, Span, passages, sections
from rag.types import Extract, Passage


@dataclass(frozen=True, slots=True)
class RecursiveChunker:
    """Implements `rag.chunkers.Chunker`. Passages are as long as possible."""

    max_chars: int = 512
    """Maximum length of a passage."""
    overlap_chars: int = 51
    """Maximum length of the repeated end of the previous passage; less than `max_chars`."""

    def chunk(self, extract: Extract) -> list[Passage]:
        return passages(extract, recursive_spans(extract.text, self.max_chars, self.overlap_chars))


def recursive_spans(text: str, max_chars: int, overlap_chars: int = 0) -> Iterator[Span]:
    """The spans in order, without surrounding whitespace, of at most `max_chars` and at most `MAX_CHARS`."""
    capacity = min(max_chars, MAX_CHARS)
    splitter = TextSplitter(capacity, overlap=min(overlap_chars, capacity - 1))
    for section_start, section in sections(text):
        for start, part in splitter.chunk_indices(section):
            yield section_start + start, section_start + start + len(part)
