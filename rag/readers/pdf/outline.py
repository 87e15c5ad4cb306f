"""Headings from a PDF's outline (its bookmarks), the only headings that a PDF declares."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pypdfium2 as pdfium  # type: ignore[import-untyped]

from rag.readers.extract.heading_path import HeadingPath, clean_title
from rag.types import Extract, Heading

_MAX_ENTRIES = 5_000


def outline_headings(document: pdfium.PdfDocument, extract: Extract) -> tuple[Heading, ...]:
    """Headings in order. Each is at the line of its page that begins with its title, else at the start of the page."""
    ends = [page.start for page in extract.pages[1:]] + [len(extract.text)]
    pages = {page.number: (page.start, end) for page, end in zip(extract.pages, ends, strict=True)}
    headings = [
        Heading(_find(extract.text, title, *pages[number]), path)
        for number, title, path in _entries(document)
        if number in pages
    ]
    return tuple(sorted(headings, key=lambda heading: heading.start))


def _entries(document: pdfium.PdfDocument) -> Iterator[tuple[int, str, str]]:
    """Page number, title and path."""
    path = HeadingPath()
    try:
        for bookmark in itertools.islice(document.get_toc(), _MAX_ENTRIES):
            title = clean_title(bookmark.get_title())
            target = bookmark.get_dest()
            index = target.get_index() if target is not None else None
            if title and index is not None:
                yield index + 1, title, path.enter(bookmark.level + 1, title)
    except pdfium.PdfiumError:
        return  # a damaged outline: keep the entries before the damage


def _find(text: str, title: str, start: int, end: int) -> int:
    words = r"\s+(?:\|\s+)?".join(re.escape(word) for word in title.split())  # its number can be a cell of its own
    match = re.compile(rf"^{words}\b", re.IGNORECASE | re.MULTILINE).search(text, start, end)
    return match.start() if match else start
