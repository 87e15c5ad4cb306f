"""Where the words of a document's text are on its pages."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from rag.readers.pdf.layout.repeated_lines import PageLines
from rag.readers.text_alignment import aligned
from rag.types import Extract
from rag.types.places import TextRun

_MAX_RUNS = 1_000_000
"""The limit for one document; text after it has no places."""
_FIRST_RTL = "\u0590"


def text_runs(extract: Extract, pages: Sequence[PageLines]) -> tuple[TextRun, ...]:
    """The runs of all pages, in the order of the text. Words that were not found again in the text have none."""
    return tuple(islice(_runs(extract, pages), _MAX_RUNS))


def _runs(extract: Extract, pages: Sequence[PageLines]) -> Iterator[TextRun]:
    ends = [*(page.start for page in extract.pages[1:]), len(extract.text)]
    for page, end in zip(extract.pages, ends, strict=True):
        lines = pages[page.number - 1]
        width, height = round(lines.width, 1), round(lines.height, 1)
        segments = [segment for line in lines.lines for segment in line.segments]
        spans = aligned((segment.text for segment in segments), extract.text, page.start, end)
        for segment, span in zip(segments, spans, strict=True):
            text, (left, bottom, right, top) = segment
            if span and left < width and bottom < height and right > 0 and top > 0:
                below, above = height - bottom, height - top
                x0, x1 = round(0.0 if left < 0 else left, 1), round(width if right > width else right, 1)
                y0, y1 = round(0.0 if above < 0 else above, 1), round(height if below > height else below, 1)
                if x0 < x1 and y0 < y1:
                    x0, x1 = (x1, x0) if _is_rtl(text) else (x0, x1)
                    yield TextRun(span[0], span[1], page.number, x0, y0, x1, y1)


def _is_rtl(text: str) -> bool:
    """Whether the text is read from right to left."""
    if text.isascii() or max(text) < _FIRST_RTL:
        return False
    kinds = map(unicodedata.bidirectional, text)
    return next((kind != "L" for kind in kinds if kind in ("L", "R", "AL")), False)
