"""The interface and limits of all chunkers, and how character ranges become passages."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from rag.chunkers.headers import Headers, headers_of
from rag.types import Extract, Heading, PageStart, Passage
from rag.types.places import TextRun, packed, runs_between

MAX_CHARS = 16_383
"""Maximum length of a passage and of its context: a Milvus string holds 65,535 bytes, at up to four a character."""
SECTION_CHARS = 32_768
"""Maximum length of text that is split at once: at least two of the largest passages; most documents are shorter."""

Span: TypeAlias = tuple[int, int]
"""Character offsets in a text: start, and end (exclusive)."""


class Chunker(Protocol):
    """Splits documents. Thread-safe."""

    def chunk(self, extract: Extract) -> list[Passage]:
        """The passages in order. None is blank, and every non-whitespace character is in at least one of them.

        Takes about a second for a few MB, so do not call it on the event loop.
        """
        ...


def passages(extract: Extract, spans: Iterable[Span]) -> list[Passage]:
    """The passages at these spans, with surrounding whitespace stripped; blank ones are left out.

    A passage that begins inside a table, list or record does not repeat the end of the previous one: its header says
    what it depends on, and a record's end next to another record would be taken for a part of it.
    """
    headers, previous_end = headers_of(extract), 0
    found: list[Passage] = []
    for start, end in headers.split_at_records(spans):
        if start < previous_end < end and headers.at(start):
            start = previous_end
        start, end = stripped(extract.text, (start, end))
        if start < end:
            found.append(passage_at(extract, (start, end), headers))
            previous_end = end
    return found


def passage_at(
    extract: Extract, span: Span, headers: Headers, *, heading_offset: int | None = None, context: str = ""
) -> Passage:
    """The passage at a span. Its heading is the one at its middle unless `heading_offset` gives another position."""
    start, end = span
    pages = _pages_of(extract, start, end)
    return Passage(
        text=extract.text[start:end],
        start=start,
        end=end,
        heading=_heading_at(extract.headings, (start + end) // 2 if heading_offset is None else heading_offset),
        page=_main_page(extract.text, pages, start, end),
        pages=pages,
        places=packed(_runs_of(extract, start, end), start),
        header=headers.at(start),
        context=context,
    )


def stripped(text: str, span: Span) -> Span:
    """The span without whitespace at its ends; empty if there is nothing else."""
    start, end = span
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    return start, start + len(part.strip())


def sections(text: str) -> Iterator[tuple[int, str]]:
    """The text in sections of limited size, with their offsets, cut at the best boundary available.

    The splitter takes quadratic time for text without paragraphs: 40 s for 2 MB in one line, and as much for 32,768
    newlines at the end of Markdown, hence `rstrip`.
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


def _pages_of(extract: Extract, start: int, end: int) -> tuple[PageStart, ...]:
    """The pages that a passage is on; text before the first page's start counts as part of it."""
    pages = extract.pages
    first = max(bisect.bisect_right(pages, start, key=lambda page: page.start) - 1, 0)
    last = max(bisect.bisect_left(pages, end, key=lambda page: page.start), first + 1)
    return pages[first:last]


def _runs_of(extract: Extract, start: int, end: int) -> list[TextRun]:
    first = bisect.bisect_right(extract.runs, start, key=lambda run: run.end)
    last = bisect.bisect_left(extract.runs, end, key=lambda run: run.start)
    return runs_between(extract.runs[first:last], start, end)


def _main_page(text: str, pages: tuple[PageStart, ...], start: int, end: int) -> int | None:
    """The page that holds most of a passage."""
    if not pages:
        return None
    bounds = [start, *(page.start for page in pages[1:]), end]
    lengths = [len("".join(text[begin:stop].split())) for begin, stop in itertools.pairwise(bounds)]
    return pages[lengths.index(max(lengths))].number
