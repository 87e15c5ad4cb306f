"""PDF: the text of the pages and what is typed into forms, with headings from the outline. Scripts are ignored."""

from __future__ import annotations

import ctypes
import dataclasses

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.errors import BrokenFile, EncryptedFile, NoTextFound
from rag.readers.extract.heading_path import given_title
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.pdf.layout.cjk_lines import paragraph_text
from rag.readers.pdf.layout.hyphenation import join_hyphenated
from rag.readers.pdf.layout.page_lines import plain_text
from rag.readers.pdf.outline import outline_headings
from rag.readers.pdf.page_reader import OCR_HINT, PageReader
from rag.readers.pdf.text_runs import text_runs
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.types import Extract

_SCAN = "has no text on any of its pages: it looks like a scan"


def read(source: SourceFile) -> Extract:
    document = _open(source)
    try:
        pages = PageReader(document, source).pages()
        texts = [paragraph_text(page.lines) for page in pages]
        if not any(text.strip() for text in texts):
            raise NoTextFound(_SCAN if source.options.ocr_languages else f"{_SCAN}; {OCR_HINT}")
        builder = TextBuilder(source)
        for number, text in enumerate(join_hyphenated(texts), 1):
            builder.page(number)
            builder.add(text)
        title = document.get_metadata_value("Title")
        extract = builder.extract(title=given_title(plain_text(title)), language=_language(document), is_markdown=False)
        headings = outline_headings(document, extract)
        return dataclasses.replace(extract, headings=headings, runs=text_runs(extract, pages))
    finally:
        document.close()


def _open(source: SourceFile) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(source.path)
        form_type = document.get_formtype()
        if form_type == pdfium_c.FORMTYPE_XFA_FULL:
            source.report.warn(warning("xfa_form"))
        elif form_type != pdfium_c.FORMTYPE_NONE:
            document.init_forms()
        if len(document) == 0:
            raise BrokenFile("is damaged: it has no pages")
        if attachments := document.count_attachments():
            source.report.warn(warning("attached_files", count=attachments))
        return document
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise EncryptedFile("is password-protected; save it without a password") from None
        raise BrokenFile("is damaged, or not a PDF file") from None


def _language(document: pdfium.PdfDocument) -> str:
    """The language in the document's catalog; empty if there is none."""
    size = pdfium_c.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size <= 256:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium_c.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")
