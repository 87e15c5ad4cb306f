"""Citations: references of an answer to its sources, written `[1]` or `[1, 3]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rag.types import Rectangle

CitationMode: TypeAlias = Literal["check", "verify", "off"]
"""`check`: citations of sources that do not exist are removed. `verify`: as `check`, and each cited sentence is scored
against the text of its source. `off`: the text is left as the model wrote it."""


@dataclass(frozen=True, slots=True)
class QuotedRange:
    """Where a quote stands in the answer and in its document."""

    start: int
    """`start` and `end` are the character range of the quote in the answer, without the brackets."""
    end: int
    source_start: int
    """`source_start` and `source_end` are the character range in the document's text."""
    source_end: int
    page: int | None = None
    rectangles: tuple[Rectangle, ...] = ()
    """Where it is on the pages of a PDF. Within a line, the place of its words is estimated."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One cited source; `[1, 3]` are two."""

    index: int
    """Number of the source, from 1."""
    file_id: str
    start: int
    end: int
    """`start` and `end` are the character range of the brackets in the answer."""
    score: float | None = None
    """How well the source supports the cited sentence, in [0, 1]; None if that was not verified."""
    weak: bool = False
    """Whether the score is below the configured threshold."""
    quote: QuotedRange | None = None
    """What is cited, word for word; None in a written answer."""
