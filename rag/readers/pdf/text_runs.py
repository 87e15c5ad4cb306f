"""Where the words of a document's text are on its pages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from rag.readers.pdf.layout.box import Box
from rag.readers.pdf.layout.page_lines import Segment
from rag.readers.pdf.layout.repeated_lines import PageLines
from rag.readers.text_alignment import aligned
from rag.types import Extract
from rag.types.places import TextRun

_MAX_RUNS = 1_000_000
"""Of a document; what comes after them has no places."""
_FIRST_RTL = "\u0590"


def text_runs(extract: Extract, pages: Sequence[PageLines]) -> tuple[TextRun, ...]:
    """The runs of all pages, in the order of the text. Words that were not found again in the text have none."""
    return tuple(islice(_runs(extract, pages), _MAX_RUNS))


def _runs(extract: Extract, pages: Sequence[PageLines]) -> Iterator[TextRun]:
    ends = [*(page.start for page in extract.pages[1:]), len(extract.text)]
    for page, end in zip(extract.pages, ends, strict=True):
        lines = pages[page.number - 1]
        segments = [segment for line in lines.lines for segment in line.segments]
        spans = aligned((segment.text for segment in segments), extract.text, page.start, end)
        for segment, span in zip(segments, spans, strict=True):
            if span and (box := _on_page(segment.box, lines)):
                x0, x1 = (box.right, box.left) if _is_rtl(segment) else (box.left, box.right)
                yield TextRun(*span, page.number, x0, lines.height - box.top, x1, lines.height - box.bottom)


def _on_page(box: Box, page: PageLines) -> Box | None:
    """The part of a box that is on the page, rounded."""
    left, bottom, right, top = (round(value, 1) if abs(value) < 1e6 else 0.0 for value in box)
    left, right = max(left, 0.0), min(right, round(page.width, 1))
    bottom, top = max(bottom, 0.0), min(top, round(page.height, 1))
    return Box(left, bottom, right, top) if left < right and bottom < top else None


def _is_rtl(segment: Segment) -> bool:
    """Whether the text is read from right to left."""
    if max(segment.text) < _FIRST_RTL:
        return False
    kinds = (unicodedata.bidirectional(character) for character in segment.text)
    return next((kind != "L" for kind in kinds if kind in ("L", "R", "AL")), False)
