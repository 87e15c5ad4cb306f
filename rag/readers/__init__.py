"""Files -> text. One reader a format; what a file is, its content says.

    path -> media type (sniff) -> the format's reader -> Extract

Readers bound what they unpack, but a file may still take any time or memory: strangers' files are read in a process of
their own (`rag.adapters.parser_process`). Reader modules are imported when first needed, for their libraries take time.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rag.errors import NoTextFound, UnsupportedFile
from rag.readers import formats
from rag.readers.heading_path import UNSTORABLE
from rag.readers.sniff import media_type_of
from rag.readers.source import ReadOptions, SourceFile
from rag.types import Extract

__all__ = ["READER_MODULES", "ReadOptions", "read"]

READER_MODULES: Final = {
    formats.PDF: "pdf",
    formats.DOCX: "docx",
    formats.PPTX: "pptx",
    formats.XLSX: "xlsx",
    formats.EPUB: "epub",
    formats.HTML: "html",
    formats.MARKDOWN: "markdown",
    formats.TEXT: "text",
    formats.CSV: "csv_",
    formats.TSV: "csv_",
    formats.JSON: "json_",
    formats.JSON_LINES: "json_",
    formats.EMAIL: "eml",
}


def read(path: Path, filename: str, options: ReadOptions | None = None) -> Extract:
    """The text of the file at `path`, uploaded as `filename`. Not for the service's own process: see above.

    Raises:
        UnsupportedFile: or one of its children; the message begins with the file's name.
    """
    source = SourceFile(path, filename, media_type_of(path, filename), options or ReadOptions())
    try:
        extract = _reader(source.media_type)(source)
        return _checked(extract, source)
    except UnsupportedFile as error:
        raise type(error)(f"{filename} {error.message}", param=filename) from error.__cause__


def _reader(media_type: str) -> Callable[[SourceFile], Extract]:
    module = importlib.import_module(f"rag.readers.{READER_MODULES[media_type]}")
    reader: Callable[[SourceFile], Extract] = module.read
    return reader


def _checked(extract: Extract, source: SourceFile) -> Extract:
    if len(extract.text) > source.options.max_text_chars:
        raise source.too_much_text()
    if not any(char.isprintable() and not char.isspace() for char in extract.text):
        raise NoTextFound("has no text")
    if not UNSTORABLE.search(extract.text):
        return extract
    return dataclasses.replace(extract, text=UNSTORABLE.sub("\ufffd", extract.text))  # one for one: offsets still hold
