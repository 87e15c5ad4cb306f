"""Extracts the text of files, with one reader a format. The content of a file decides its format, not its name.

    path -> media type (sniff) -> the format's reader -> Extract

Readers limit what they unpack, but not the time or memory that a file takes, so untrusted files are read in a process
of their own (`rag.adapters.parser_process`). A reader is imported on first use, because its libraries load slowly.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rag.errors import NoTextFound, UnsupportedFile
from rag.readers import formats
from rag.readers.extract.heading_path import UNSTORABLE
from rag.readers.normal_form import normalize
from rag.readers.sniff import media_type_of
from rag.readers.source import ReadOptions, SourceFile
from rag.types import Extract, Heading

__all__ = ["READER_MODULES", "ReadOptions", "read"]

READER_MODULES: Final = {
    formats.PDF: "pdf.reader",
    formats.DOCX: "office.docx",
    formats.PPTX: "office.pptx",
    formats.XLSX: "office.xlsx",
    formats.EPUB: "epub",
    formats.HTML: "html.reader",
    formats.MARKDOWN: "text.markdown",
    formats.TEXT: "text.plain",
    formats.CSV: "text.delimited",
    formats.TSV: "text.delimited",
    formats.JSON: "text.json_values",
    formats.JSON_LINES: "text.json_values",
    formats.NOTEBOOK: "text.notebook",
    formats.EMAIL: "eml",
}


def read(path: Path, filename: str, options: ReadOptions | None = None) -> Extract:
    """Extract the text of the file at `path`, which was uploaded as `filename`. Not for untrusted files: see above.

    Raises:
        UnsupportedFile: or a subclass; the message begins with the file's name.
    """
    source = SourceFile(path, filename, media_type_of(path, filename), options or ReadOptions())
    try:
        extract = _reader(source.media_type)(source)
        return _validated(normalize(_with_title(extract)), source)
    except UnsupportedFile as error:
        raise type(error)(f"{filename} {error.message}", param=filename) from error.__cause__


def _reader(media_type: str) -> Callable[[SourceFile], Extract]:
    module = importlib.import_module(f"rag.readers.{READER_MODULES[media_type]}")
    reader: Callable[[SourceFile], Extract] = module.read
    return reader


def _with_title(extract: Extract) -> Extract:
    """A document without headings is under its title, so that its passages are found by words of the title."""
    if not extract.title or extract.headings:
        return extract
    return dataclasses.replace(extract, headings=(Heading(0, extract.title),))


def _storable(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text)


def _validated(extract: Extract, source: SourceFile) -> Extract:
    if len(extract.text) > source.options.max_text_chars:
        raise source.text_limit_error()
    if not any(char.isprintable() and not char.isspace() for char in extract.text):
        raise NoTextFound("has no text")
    text = _storable(extract.text)  # one character for one: offsets stay valid
    warnings = tuple(each.with_text(_storable) for each in source.report.warnings())
    return dataclasses.replace(extract, text=text, warnings=(*extract.warnings, *warnings))
