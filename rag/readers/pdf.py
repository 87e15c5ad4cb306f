"""PDF: the pages' texts, under the headings of its outline. Attachments, forms' scripts and pictures are left alone."""

from __future__ import annotations

import ctypes
import dataclasses
import re
from collections.abc import Iterator

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.errors import BrokenFile, EncryptedFile, NoTextFound
from rag.readers.hyphenation import LINE_END_HYPHEN, join_hyphenated
from rag.readers.pdf_outline import outline_headings
from rag.readers.source import SourceFile
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_LINE_END_SPACES = re.compile(r"(?<! ) +\n")
_SCAN = "has no text on any of its pages: it looks like a scan"
_HOW_TO_OCR = "turn on optical character recognition (RAG_INGEST__OCR), or upload a copy with a text layer"


def read(source: SourceFile) -> Extract:
    document = _open(source)
    try:
        pages = list(_pages(document, source))
        if not any(text.strip() for text in pages):
            raise NoTextFound(_SCAN if source.options.ocr_languages else f"{_SCAN}; {_HOW_TO_OCR}")
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
            raise EncryptedFile("is protected by a password; save it without one") from None
        raise BrokenFile("is not a PDF file that can be read, or is damaged") from None


def _pages(document: pdfium.PdfDocument, source: SourceFile) -> Iterator[str]:
    chars = 0
    for index in range(len(document)):
        text = _page_text(document, index)
        if not text.strip() and source.options.ocr_languages:
            text = _recognized(document, index, source)
        chars += len(text)
        if chars > source.options.max_text_chars:
            raise source.too_much_text()
        yield text


def _page_text(document: pdfium.PdfDocument, index: int) -> str:
    """Empty for a page that is damaged: the others may be fine."""
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


def _recognized(document: pdfium.PdfDocument, index: int, source: SourceFile) -> str:
    from rag.readers.ocr import page_text

    try:
        page = document[index]
    except pdfium.PdfiumError:
        return ""
    try:
        return page_text(page, source.options.ocr_languages, source.options.timeout_s)
    finally:
        page.close()


def _plain(text: str) -> str:
    """Newlines as \\n, ligatures as letters. PDFium marks a hyphen at a line's end, and takes the line's end away."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x02", LINE_END_HYPHEN)
    return _LINE_END_SPACES.sub("\n", text.replace("\0", "").translate(_LIGATURES))


def _language(document: pdfium.PdfDocument) -> str:
    """Of the document's catalog."""
    size = pdfium_c.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size <= 256:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium_c.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")
