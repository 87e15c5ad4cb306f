"""What all chunkers have in common: their face, their limits, and how ranges become passages."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from rag.types import Extract, Heading, PageStart, Passage

MAX_CHARS = 16_383
"""Of a passage and of its context: at four bytes a character this still fits in the 65,535 bytes of a Milvus string."""
SECTION_CHARS = 32_768
"""Cut together at most; most documents are shorter. At least two of the largest passages."""

Span: TypeAlias = tuple[int, int]
"""Character offsets in a text: from the first to behind the last."""


class Chunker(Protocol):
    """Safe for use in several threads."""

    def chunk(self, extract: Extract) -> list[Passage]:
        """The passages in their order; none is blank, and every character that is no white space is in one.

        Takes a second for some MB: call it in a thread.
        """
        ...


def passages(extract: Extract, spans: Iterable[Span]) -> list[Passage]:
    """The passages at these places, without the white space around them; blank ones are left out."""
    trimmed = (stripped(extract.text, span) for span in spans)
    return [passage_at(extract, span) for span in trimmed if span[0] < span[1]]


def passage_at(extract: Extract, span: Span, *, heading_offset: int | None = None, context: str = "") -> Passage:
    """Its heading is that of its middle, and so of most of it, unless `heading_offset` names another place."""
    start, end = span
    return Passage(
        text=extract.text[start:end],
        start=start,
        end=end,
        heading=_heading_at(extract.headings, (start + end) // 2 if heading_offset is None else heading_offset),
        page=_page_at(extract.pages, start),
        context=context,
    )


def stripped(text: str, span: Span) -> Span:
    """The span without white space at its ends; of no length where there is nothing else."""
    start, end = span
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return start, start + len(part.strip())


def sections(text: str) -> Iterator[tuple[int, str]]:
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


def _heading_at(headings: tuple[Heading, ...], offset: int) -> str:
    index = bisect.bisect_right(headings, offset, key=lambda heading: heading.start)
    return headings[index - 1].path if index else ""


def _page_at(pages: tuple[PageStart, ...], offset: int) -> int | None:
    """The page that holds `offset`; what stands before the first page's start counts as on it."""
    index = bisect.bisect_right(pages, offset, key=lambda page: page.start)
    return pages[max(index - 1, 0)].number if pages else None
