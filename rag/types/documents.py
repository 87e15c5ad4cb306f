"""The text of a document and its structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from rag.types.json import JsonMapping, JsonObject
from rag.types.places import TextRun

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
"""Metadata of a document."""
Change: TypeAlias = Literal["added", "replaced", "unchanged"]
"""What an upload did to a document."""
MAX_WARNING_CHARS: Final = 500


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


class ReadingWarning(str):
    """A sentence without a final period that says what was not read of a file, and why: `2 pictures were not read`.

    Programs can tell what it says by its code and values, which `rag.readers.reading_report` defines.
    """

    code: str
    """Empty if it was stored before there were codes."""
    values: Mapping[str, str | int]
    """What its text names, such as the `count` of pictures."""
    part: str
    """The attached file or the chapter that it is about, which its text begins with; empty: the file itself."""

    def __new__(
        cls, text: str, code: str = "", values: Mapping[str, str | int] | None = None, part: str = ""
    ) -> ReadingWarning:
        warning = super().__new__(cls, " ".join(text.split())[:MAX_WARNING_CHARS])
        warning.code, warning.values, warning.part = code, dict(values or {}), part
        return warning

    def of_part(self, name: str) -> ReadingWarning:
        """The same about a part of a larger file."""
        return ReadingWarning(f"{name}: {self}", self.code, self.values, f"{name}: {self.part}" if self.part else name)

    def with_text(self, change: Callable[[str], str]) -> ReadingWarning:
        """The warning with all of its texts changed."""
        values = {name: change(value) if isinstance(value, str) else value for name, value in self.values.items()}
        return ReadingWarning(change(self), self.code, values, change(self.part))

    def to_json(self) -> JsonObject:
        return {"text": str(self), "code": self.code, "values": dict(self.values), "part": self.part}

    @staticmethod
    def from_json(stored: str | JsonMapping) -> ReadingWarning:
        """What `to_json` returned, or the text of a warning that was stored before there were codes."""
        return ReadingWarning(stored) if isinstance(stored, str) else ReadingWarning(**stored)


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
    warnings: tuple[ReadingWarning, ...] = ()
    """What was not read or not read for certain."""
    runs: tuple[TextRun, ...] = ()
    """Where the words of a PDF are on its pages, in the order of the text."""
