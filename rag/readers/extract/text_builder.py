"""Builds a document's text block by block, and records the offsets of its headings and pages."""

from __future__ import annotations

from typing import NamedTuple

from rag.readers.extract.heading_path import HeadingPath, clean_title
from rag.readers.extract.language_tag import language_tag
from rag.readers.source import SourceFile
from rag.types import Extract, Heading, PageStart, ReadingWarning


class DocumentBlock(NamedTuple):
    """A paragraph, list, table or heading."""

    text: str
    level: int = 0
    """1 to 6 for a heading, else 0."""
    title: str = ""
    """A heading's text without markup."""


class TextBuilder:
    """Collects the blocks of a document, which are separated by an empty line."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._pages: list[PageStart] = []
        self._path = HeadingPath()
        self._page: int | None = None

    def page(self, number: int) -> None:
        """Begin a page: blocks added next belong to it. An empty page is not recorded."""
        self._page = number

    def warn(self, warning: ReadingWarning) -> None:
        """Report what was not read; see `ReadingReport`."""
        self._source.report.warn(warning)

    def add(self, text: str) -> None:
        """Add a block. Raises ParsingLimit if the text becomes too long."""
        text = text.strip("\n")
        if not text.strip():
            return
        self._length += 2 if self._parts else 0
        if self._page is not None:
            self._pages.append(PageStart(self._length, self._page))
            self._page = None
        self._parts.append(text)
        self._length += len(text)
        if self._length > self._source.options.max_text_chars:
            raise self._source.text_limit_error()

    def add_heading(self, level: int, title: str, text: str = "") -> None:
        """Add a heading.

        Args:
            text: The heading in the document's text, if it is not just its title after `#` marks.
        """
        title = clean_title(title)
        text = text.strip("\n") or f"{'#' * level} {title}"
        if title:
            self.add(text)
            self._headings.append(Heading(self._length - len(text), self._path.enter(level, title)))

    def add_blocks(self, blocks: list[DocumentBlock]) -> None:
        for block in blocks:
            if block.level:
                self.add_heading(block.level, block.title, block.text)
            else:
                self.add(block.text)

    def extract(self, *, title: str = "", language: str = "", is_markdown: bool = True) -> Extract:
        return Extract(
            text="\n\n".join(self._parts),
            media_type=self._source.media_type,
            is_markdown=is_markdown,
            headings=tuple(self._headings),
            pages=tuple(self._pages),
            title=clean_title(title),
            language=language_tag(language),
        )
