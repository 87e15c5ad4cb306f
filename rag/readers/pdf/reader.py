"""PDF: the text of the pages and what is typed into forms, with headings from the outline. Scripts are ignored."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.errors import BrokenFile, EncryptedFile, NoTextFound
from rag.readers.pdf.annotations import page_annotations
from rag.readers.pdf.cjk_lines import paragraph_text
from rag.readers.pdf.columns import in_reading_order
from rag.readers.pdf.form_fields import with_fields
from rag.readers.pdf.hyphenation import join_hyphenated
from rag.readers.pdf.outline import outline_headings
from rag.readers.pdf.page_lines import Line, page_lines, plain_text
from rag.readers.pdf.pictures import count_pictures, has_pictures, is_blank
from rag.readers.pdf.repeated_lines import PageLines, without_repetitions
from rag.readers.pdf.table_rows import with_cell_borders
from rag.readers.reading_report import counted
from rag.readers.source import SourceFile
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

_SCAN = "has no text on any of its pages: it looks like a scan"
_OCR_HINT = "enable optical character recognition (RAG_INGEST__OCR), or upload a copy with a text layer"
_XFA = "the form was not read: it is an XFA form, which only Adobe Acrobat shows; print it to a PDF and upload that"


def read(source: SourceFile) -> Extract:
    document = _open(source)
    try:
        texts = _PageReader(document, source).texts()
        if not any(text.strip() for text in texts):
            raise NoTextFound(_SCAN if source.options.ocr_languages else f"{_SCAN}; {_OCR_HINT}")
        builder = TextBuilder(source)
        for number, text in enumerate(join_hyphenated(texts), 1):
            builder.page(number)
            builder.add(text)
        title = document.get_metadata_value("Title")
        extract = builder.extract(title=plain_text(title), language=_language(document), is_markdown=False)
        return dataclasses.replace(extract, headings=outline_headings(document, extract))
    finally:
        document.close()


def _open(source: SourceFile) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(source.path)
        form_type = document.get_formtype()
        if form_type == pdfium_c.FORMTYPE_XFA_FULL:
            source.report.warn(_XFA)
        elif form_type != pdfium_c.FORMTYPE_NONE:
            document.init_forms()
        if len(document) == 0:
            raise BrokenFile("is damaged: it has no pages")
        if attachments := document.count_attachments():
            source.report.warn(counted(attachments, "attached file", "not read"))
        return document
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedFile("is password-protected; save it without a password") from None
        raise BrokenFile("is damaged, or not a PDF file") from None


class _PageReader:
    """Reads the pages of a document, and reports those without text."""

    def __init__(self, document: pdfium.PdfDocument, source: SourceFile) -> None:
        self._document = document
        self._source = source
        self._chars = 0
        self._has_pictures = has_pictures(source.path)
        self._pictures = 0
        self._damaged: list[int] = []
        self._without_text: list[int] = []

    def texts(self) -> list[str]:
        """The text of each page."""
        pages = [self._page(index) for index in range(len(self._document))]
        self._report()
        return [paragraph_text(lines) for lines in without_repetitions(pages)]

    def _page(self, index: int) -> PageLines:
        """Without lines for a damaged page: the others may be readable."""
        try:
            page = self._document[index]
        except pdfium.PdfiumError:
            self._damaged.append(index + 1)
            return PageLines(0, [])
        try:
            lines = self._lines(page, index)
            self._chars += sum(len(line.text) + 1 for line in lines)
            if self._chars > self._source.options.max_text_chars:
                raise self._source.text_limit_error()
            return PageLines(page.get_height(), lines)
        finally:
            page.close()

    def _lines(self, page: pdfium.PdfPage, index: int) -> list[Line]:
        try:
            lines = page_lines(page)
        except pdfium.PdfiumError:
            self._damaged.append(index + 1)
            return []
        if not any(line.text.strip() for line in lines):
            lines = self._scanned_lines(page)
            if not lines and not is_blank(page):
                self._without_text.append(index + 1)
        elif self._has_pictures:
            self._pictures += count_pictures(page)
        typed = page_annotations(page)
        lines = with_fields(lines, typed.fields)
        lines = with_cell_borders(in_reading_order(lines))
        return lines + [Line(f"[Comment: {comment}]") for comment in typed.comments]

    def _scanned_lines(self, page: pdfium.PdfPage) -> list[Line]:
        if not self._source.options.ocr_languages:
            return []
        from rag.readers.pdf.ocr import page_text

        text = page_text(page, self._source.options.ocr_languages, self._source.options.timeout_s)
        return [Line(line) for line in text.split("\n")] if text.strip() else []

    def _report(self) -> None:
        warn = self._source.report.warn
        if self._damaged:
            warn(f"{_page_list(self._damaged)} could not be read: damaged")
        if self._without_text:
            hint = "no text was recognized" if self._source.options.ocr_languages else f"no text to read; {_OCR_HINT}"
            warn(f"{_page_list(self._without_text)}: {hint}")
        if self._pictures:
            warn(counted(self._pictures, "picture", "not read"))


def _page_list(numbers: Sequence[int]) -> str:
    """`page 3`, `pages 3, 5 to 7`."""
    runs = [[numbers[0], numbers[0]]]
    for one, two in pairwise(numbers):
        if two == one + 1:
            runs[-1][1] = two
        else:
            runs.append([two, two])
    return f"page{'s' if len(numbers) > 1 else ''} " + ", ".join(_run(*run) for run in runs)


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first}, {last}" if last == first + 1 else f"{first} to {last}"


def _language(document: pdfium.PdfDocument) -> str:
    """The language in the document's catalog; empty if there is none."""
    size = pdfium_c.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size <= 256:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium_c.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")
