"""The text of a PDF's pages, with forms and comments, and without the repetitions of headers and footers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import pypdfium2 as pdfium  # type: ignore[import-untyped]

from rag.readers.pdf.annotations import page_annotations
from rag.readers.pdf.form_fields import with_fields
from rag.readers.pdf.layout.cell_rows import with_whole_cells
from rag.readers.pdf.layout.columns import lines_in_reading_order
from rag.readers.pdf.layout.page_lines import PageLine, page_lines
from rag.readers.pdf.layout.repeated_lines import PageLines, without_repetitions
from rag.readers.pdf.layout.table_rows import with_cell_borders
from rag.readers.pdf.pictures import has_pictures, is_blank, page_pictures
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.types import ReadingWarning

OCR_HINT: Final = "enable optical character recognition (RAG_INGEST__OCR), or upload a copy with a text layer"
_STAMP_CHARS = 60


class PageReader:
    """Reads the pages of a document, and reports those without text."""

    def __init__(self, document: pdfium.PdfDocument, source: SourceFile) -> None:
        self._document = document
        self._source = source
        self._chars = 0
        self._has_pictures = has_pictures(source.path)
        self._pictures = 0
        self._damaged: list[int] = []
        self._without_text: list[int] = []

    def pages(self) -> list[PageLines]:
        """The lines of each page."""
        pages = [self._page(index) for index in range(len(self._document))]
        self._report()
        return without_repetitions(pages)

    def _page(self, index: int) -> PageLines:
        """Without lines for a damaged page: the others may be readable."""
        try:
            page = self._document[index]
        except pdfium.PdfiumError:
            self._damaged.append(index + 1)
            return PageLines(0, 0, [])
        try:
            lines = self._lines(page, index)
            self._chars += sum(len(line.text) + 1 for line in lines)
            if self._chars > self._source.options.max_text_chars:
                raise self._source.text_limit_error()
            return PageLines(page.get_width(), page.get_height(), lines)
        finally:
            page.close()

    def _lines(self, page: pdfium.PdfPage, index: int) -> list[PageLine]:
        try:
            lines = page_lines(page)
        except pdfium.PdfiumError:
            self._damaged.append(index + 1)
            return []
        if self._is_scan(page, lines):
            lines = self._recognized_lines(page, index) or lines
        typed = page_annotations(page)
        lines = with_whole_cells(with_cell_borders(lines_in_reading_order(with_fields(lines, typed.fields))))
        return lines + [PageLine(f"[Comment: {comment}]") for comment in typed.comments]

    def _is_scan(self, page: pdfium.PdfPage, lines: Sequence[PageLine]) -> bool:
        """True for a page without text, or with a picture of its size and less text than that of a stamp."""
        chars = sum(len(line.text.strip()) for line in lines)
        if not chars:
            return True
        if not self._has_pictures:
            return False
        pictures = page_pictures(page)
        self._pictures += pictures.shown
        return pictures.has_background and chars < _STAMP_CHARS

    def _recognized_lines(self, page: pdfium.PdfPage, index: int) -> list[PageLine]:
        text = ""
        if self._source.options.ocr_languages:
            from rag.readers.pdf.ocr import page_text

            text = page_text(page, self._source.options.ocr_languages, self._source.options.timeout_s)
        if not text.strip():
            self._without_text += [] if is_blank(page) else [index + 1]
            return []
        return [PageLine(line) for line in text.split("\n")]

    def _report(self) -> None:
        warn = self._source.report.warn
        if self._damaged:
            warn(warning("damaged_pages", **_pages(self._damaged)))
        if self._without_text:
            warn(self._scan_warning(_pages(self._without_text)))
        if self._pictures:
            warn(warning("pictures", count=self._pictures))

    def _scan_warning(self, pages: Mapping[str, str | int]) -> ReadingWarning:
        if self._source.options.ocr_languages:
            return warning("unrecognized_pages", **pages)
        return warning("scanned_pages", hint=OCR_HINT, **pages)


def _pages(numbers: Sequence[int]) -> dict[str, str | int]:
    """The values of a warning: `pages` is such as `3, 5-7`."""
    runs = [[numbers[0], numbers[0]]]
    for one, two in pairwise(numbers):
        if two == one + 1:
            runs[-1][1] = two
        else:
            runs.append([two, two])
    return {"count": len(numbers), "pages": ", ".join(_run(*run) for run in runs)}


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first}, {last}" if last == first + 1 else f"{first}-{last}"
