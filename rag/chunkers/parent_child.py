"""Small passages for searching, each with its larger surrounding text for answering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rag.chunkers.chunker import Span, passage_at, stripped
from rag.chunkers.headers import Headers, headers_of
from rag.chunkers.recursive import recursive_spans
from rag.types import Extract, Passage


@dataclass(frozen=True, slots=True)
class ParentChildChunker:
    """Implements `rag.chunkers.Chunker`. A small passage has one topic and a distinct vector; its parent answers.

    Passages and parents do not overlap: the parent supplies what is cut off at the edge of a child.
    """

    child_chars: int = 384
    parent_chars: int = 2_048

    def chunk(self, extract: Extract) -> list[Passage]:
        headers = headers_of(extract)
        return [
            child
            for parent in recursive_spans(extract.text, self.parent_chars)
            for child in self._children(extract, parent, headers)
        ]

    def _children(self, extract: Extract, parent: Span, headers: Headers) -> Iterator[Passage]:
        """A child that equals its parent gets no context."""
        start, end = parent
        context = extract.text[start:end]
        spans = ((start + first, start + last) for first, last in recursive_spans(context, self.child_chars))
        for part in headers.split_at_records(spans):
            span = stripped(extract.text, part)
            if span[0] < span[1]:
                yield passage_at(extract, span, headers, context="" if span == parent else context)
