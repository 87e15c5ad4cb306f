"""Parts of documents: passages, and the chunks that they are stored as."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.types.documents import Attributes, PageStart
from rag.types.places import Rectangle, rectangles, unpacked


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document, made by a chunker: `extract.text[start:end] == text`. Stored, it becomes a `Chunk`."""

    text: str
    start: int
    end: int
    heading: str = ""
    page: int | None = None
    """The page that most of it is on."""
    context: str = ""
    """A longer text around it, which the language model gets instead; empty for the passage itself."""
    pages: tuple[PageStart, ...] = ()
    """The pages it is on; the first one may start before it."""
    places: str = ""
    """Where its words are on the pages of a PDF: `packed`, with offsets relative to `start`."""
    header: str = ""
    """Text above it that it depends on: the column names of its table, the key of its record, the title of its list."""


def chunk_id_of(version_id: str, ordinal: int) -> str:
    """The ID of a version's passage, counted from 0."""
    return f"{version_id}-{ordinal:06d}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored passage of one version of a document."""

    chunk_id: str
    """See `chunk_id_of`."""
    version_id: str
    """A version is a document's text, attributes and chunking after one change."""
    file_id: str
    filename: str
    text: str
    start: int
    """Character offset in the document's text."""
    end: int
    heading: str = ""
    page: int | None = None
    """The page that most of it is on."""
    context: str = ""
    """A longer text around it, which the language model gets instead; empty for `text` itself."""
    pages: tuple[PageStart, ...] = ()
    """The pages it is on; the first one may start before it."""
    places: str = ""
    """Where its words are on the pages of a PDF: `packed`, with offsets relative to `start`."""
    header: str = ""
    """Text above it that it depends on: the column names of its table, the key of its record, the title of its list."""
    attributes: Attributes = field(default_factory=dict)
    read_groups: tuple[str, ...] = ()
    """The groups that may read it; empty: everyone in the tenant."""

    @property
    def page_numbers(self) -> list[int]:
        return [page.number for page in self.pages]

    @property
    def rectangles(self) -> tuple[Rectangle, ...]:
        """Where its lines are on the pages of a PDF."""
        return rectangles(unpacked(self.places, self.start))

    def page_at(self, offset: int) -> int | None:
        """The page of a place in the chunk, given its character offset in the document."""
        before = [page.number for page in self.pages if page.start <= offset]
        return before[-1] if before else self.page


def passage_text(passage: Passage | Chunk) -> str:
    """The text as encoder and keyword index get it: under the path of its headings and its header."""
    return "\n".join(filter(None, (passage.heading, passage.header, passage.text)))


def readable_text(passage: Passage | Chunk) -> str:
    """The text as a language model or a person reads it: the larger text if there is one, below its header."""
    text = passage.context or passage.text
    missing = [line for line in passage.header.split("\n") if line and line not in text]
    return "\n".join([*missing, text])
