"""The text around a hit, so that a sentence cut at its passage's edge can be quoted whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.retrieve.neighbours import gap_between, neighbour_id
from rag.types import Chunk, Hit, Rectangle, TextRun
from rag.types.places import rectangles, runs_between, unpacked


@dataclass(frozen=True, slots=True)
class TextWindow:
    """A part of a document's text, and the passage in it that was found. Offsets are those of the document.

    A text that begins inside a table, list or record is preceded by its header. Offsets of the header are meaningless.
    """

    text: str
    start: int
    passage: tuple[int, int]
    starts_document: bool = False
    """Whether nothing precedes the text. Otherwise its first sentence may be incomplete."""
    ends_document: bool = False
    header_chars: int = 0
    """Length of the header that precedes the text, newline included."""


def neighbour_ids(hits: Sequence[Hit]) -> list[str]:
    """Ids of the chunks before and after each hit, which may not exist."""
    return list(dict.fromkeys(each for hit in hits for each in _around(hit.chunk) if each))


def window_of(hit: Hit, neighbours: Mapping[str, Chunk]) -> TextWindow:
    """The hit's passage, continued by the chunks around it as far as they are known."""
    chunk = hit.chunk
    before_id, after_id = _around(chunk)
    text, start = chunk.text, chunk.start
    before, after = neighbours.get(before_id), neighbours.get(after_id)
    if before is not None and before.start < start:
        text = before.text[: start - before.start] + gap_between(before, chunk) + text
        start = before.start
    if after is not None and after.end > chunk.end:
        text += gap_between(chunk, after) + after.text[max(0, chunk.end - after.start) :]
    first = chunk if start == chunk.start or before is None else before
    header = f"{first.header}\n" if first.header else ""
    return TextWindow(
        header + text,
        start - len(header),
        (chunk.start, chunk.end),
        starts_document=before is None or before.start == 0,
        ends_document=after is None,
        header_chars=len(header),
    )


def rectangles_around(hit: Hit, neighbours: Mapping[str, Chunk], start: int, end: int) -> tuple[Rectangle, ...]:
    """Where a part of a hit, or of the chunks around it, is on the pages of a PDF."""
    before, after = (neighbours.get(each) for each in _around(hit.chunk))
    runs = _runs(before, start, min(end, hit.chunk.start)) + _runs(hit.chunk, start, end)
    return rectangles(runs + _runs(after, max(start, hit.chunk.end), end))


def _runs(chunk: Chunk | None, start: int, end: int) -> list[TextRun]:
    return runs_between(unpacked(chunk.places, chunk.start), start, end) if chunk is not None and start < end else []


def _around(chunk: Chunk) -> tuple[str, str]:
    """Ids of the previous and the next chunk; the former is empty for the first chunk of a document."""
    return neighbour_id(chunk, -1), neighbour_id(chunk, 1)
