"""PDF: the text of the pages, with headings from the outline. Attachments, form scripts and pictures are ignored."""

from __future__ import annotations

import ctypes
import dataclasses
import re
from collections.abc import Iterator

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.errors import BrokenFile, EncryptedFile, NoTextFound
from rag.readers.pdf.hyphenation import LINE_END_HYPHEN, join_hyphenated
from rag.readers.pdf.outline import outline_headings
from rag.readers.source import SourceFile
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_LINE_END_SPACES = re.compile(r"(?<! ) +\n")
_SCAN = "has no text on any of its pages: it looks like a scan"
_OCR_HINT = "enable optical character recognition (RAG_INGEST__OCR), or upload a copy with a text layer"


def read(source: SourceFile) -> Extract:
    document = _open(source)
    try:
        pages = list(_pages(document, source))
        if not any(text.strip() for text in pages):
            raise NoTextFound(_SCAN if source.options.ocr_languages else f"{_SCAN}; {_OCR_HINT}")
        builder = TextBuilder(source)
        for number, text in enumerate(join_hyphenated(pages), 1):
            builder.page(number)
            builder.add(text)
        title = document.get_metadata_value("Title")
        extract = builder.extract(title=_plain(title), language=_language(document), is_markdown=False)
        return dataclasses.replace(extract, headings=outline_headings(document, extract))
    finally:
        document.close()


def _open(source: SourceFile) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(source.path)
        if len(document) == 0:
            raise BrokenFile("is damaged: it has no pages")
        return document
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedFile("is password-protected; save it without a password") from None
        raise BrokenFile("is damaged, or not a PDF file") from None


def _pages(document: pdfium.PdfDocument, source: SourceFile) -> Iterator[str]:
    chars = 0
    for index in range(len(document)):
        text = _page_text(document, index)
        if not text.strip() and source.options.ocr_languages:
            text = _ocr_text(document, index, source)
        chars += len(text)
        if chars > source.options.max_text_chars:
            raise source.text_limit_error()
        yield text


def _page_text(document: pdfium.PdfDocument, index: int) -> str:
    """Empty for a damaged page: the others may be readable."""
    try:
        page = document[index]
        try:
            textpage = page.get_textpage()
            try:
                return _plain(textpage.get_text_range())
            finally:
                textpage.close()
        finally:
            page.close()
    except pdfium.PdfiumError:
        return ""


def _ocr_text(document: pdfium.PdfDocument, index: int, source: SourceFile) -> str:
    from rag.readers.pdf.ocr import page_text

    try:
        page = document[index]
    except pdfium.PdfiumError:
        return ""
    try:
        return page_text(page, source.options.ocr_languages, source.options.timeout_s)
    finally:
        page.close()


def _plain(text: str) -> str:
    """Text with \\n as line ends and ligatures as letters; PDFium's mark for a hyphen and line end is replaced."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x02", LINE_END_HYPHEN)
    return _LINE_END_SPACES.sub("\n", text.replace("\0", "").translate(_LIGATURES))


def _language(document: pdfium.PdfDocument) -> str:
    """The language in the document's catalog; empty if there is none."""
    size = pdfium_c.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size <= 256:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium_c.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")
