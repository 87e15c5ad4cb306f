"""A document, cut into chunks."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from semantic_text_splitter import TextSplitter

from rag.types import Chunk, Document, Heading

MAX_CHUNK_CHARS = 16_383
"""At four bytes a character this still fits in the 65,535 bytes of a Milvus string."""
SECTION_CHARS = 32_768
"""Cut together at most; most documents are shorter. At least two of the largest chunks."""


@dataclass(frozen=True, slots=True)
class Chunker:
    """Cuts recursively: at paragraphs where it can, then at lines, sentences, words; chunks get as full as they can."""

    chunk_chars: int = 512
    """Characters in a chunk at most."""
    overlap: float = 0.1
    """Part of a chunk, from 0 to below 1, that may repeat the end of the one before."""

    def chunk(self, document: Document) -> list[Chunk]:
        """The chunks in their order, none blank: `document.text[chunk.start:chunk.end] == chunk.text` for each."""
        capacity = min(self.chunk_chars, MAX_CHUNK_CHARS)
        splitter = TextSplitter(capacity, overlap=int(capacity * self.overlap))
        pieces = [
            (section_start + start, text)
            for section_start, section in _sections(document.text)
            for start, text in splitter.chunk_indices(section)
            if text.strip()
        ]
        return [_chunk(document, ordinal, start, text) for ordinal, (start, text) in enumerate(pieces)]


def passage_text(chunk: Chunk) -> str:
    """What the encoder and the keyword index see: the chunk under its heading's path."""
    return f"{chunk.heading}\n{chunk.text}" if chunk.heading else chunk.text


def _sections(text: str) -> Iterator[tuple[int, str]]:
    """The text in parts of bounded size and their offsets, cut where it hurts least.

    The splitter's time grows with the square of a text that has no paragraphs: 40 s for 2 MB in one line, and as much
    for 32,768 newlines at the end of Markdown, hence `rstrip`.
    """
    start = 0
    while len(text) - start > SECTION_CHARS:
        earliest, latest = start + SECTION_CHARS // 2, start + SECTION_CHARS
        cuts = (text.rfind(mark, earliest, latest) for mark in ("\n#", "\n\n", "\n", " "))
        end = next((cut + 1 for cut in cuts if cut >= 0), latest)
        yield start, text[start:end].rstrip()
        start = end
    yield start, text[start:].rstrip()


def _chunk(document: Document, ordinal: int, start: int, text: str) -> Chunk:
    return Chunk(
        chunk_id=f"{document.file_id}-{document.content_hash[:12]}-{ordinal:06d}",
        file_id=document.file_id,
        filename=document.filename,
        text=text,
        start=start,
        end=start + len(text),
        content_hash=document.content_hash,
        heading=_heading_at(document.headings, start + len(text) // 2),
        attributes=document.attributes,
    )


def _heading_at(headings: tuple[Heading, ...], offset: int) -> str:
    """The path of the last heading at or before `offset`; for a chunk's middle it is the heading of most of it."""
    index = bisect.bisect_right(headings, offset, key=lambda heading: heading.start)
    return headings[index - 1].path if index else ""
