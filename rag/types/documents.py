"""The text of a document and its structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rag.types.places import TextRun

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
"""Metadata of a document."""
Change: TypeAlias = Literal["added", "replaced", "unchanged"]
"""What an upload did to a document."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document. It applies from `start` to the start of the next heading."""

    start: int
    """Character offset in the document's text."""
    path: str
    """Titles from the outermost heading to this one, joined by ` > `."""


@dataclass(frozen=True, slots=True)
class PageStart:
    """The start of a page of a document. The page ends where the next one starts."""

    start: int
    """Character offset in the document's text."""
    number: int
    """Page number, from 1. Slides and sheets count as pages."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class PassagePairs:
    """The questions and answers that a language model generated for one passage of a document."""

    start: int
    """Character offset of the passage in the document's text."""
    end: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a file and its structure. Offsets refer to `text`; `headings` and `pages` are in ascending order."""

    text: str
    media_type: str
    """Detected from the file's content, such as `application/pdf`."""
    is_markdown: bool = False
    headings: tuple[Heading, ...] = ()
    pages: tuple[PageStart, ...] = ()
    """Empty for file formats without pages."""
    title: str = ""
    """From the file's metadata; empty if it has none."""
    language: str = ""
    """BCP 47 tag, such as `en` or `de-AT`: from the file's metadata, or recognized at ingest; empty if not known."""
    pairs: tuple[PassagePairs, ...] | None = None
    """Generated questions for its passages, in the order of the passages; None if none were requested."""
    warnings: tuple[str, ...] = ()
    """What was not read or not read for certain, a sentence each, such as `2 pictures were not read`."""
    runs: tuple[TextRun, ...] = ()
    """Where the words of a PDF are on its pages, in the order of the text."""
