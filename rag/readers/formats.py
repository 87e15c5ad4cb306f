"""The supported formats: their media types and file name suffixes."""

from __future__ import annotations

from typing import Final

MARKDOWN: Final = "text/markdown"
TEXT: Final = "text/plain"
HTML: Final = "text/html"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonl"
NOTEBOOK: Final = "application/x-ipynb+json"
EMAIL: Final = "message/rfc822"
PDF: Final = "application/pdf"
EPUB: Final = "application/epub+zip"
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX: Final = f"{_OFFICE}.wordprocessingml.document"
PPTX: Final = f"{_OFFICE}.presentationml.presentation"
XLSX: Final = f"{_OFFICE}.spreadsheetml.sheet"

TEXT_KINDS: Final = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".mdx": MARKDOWN,
    ".txt": TEXT,
    ".text": TEXT,
    ".rst": TEXT,
    ".adoc": TEXT,
    ".log": TEXT,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".csv": CSV,
    ".tsv": TSV,
    ".json": JSON,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".ipynb": NOTEBOOK,
    ".eml": EMAIL,
}
"""Formats that are text: the suffix decides, because the content says little."""
BINARY_KINDS: Final = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".docm": DOCX,
    ".pptx": PPTX,
    ".pptm": PPTX,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".epub": EPUB,
}
"""Formats where the content decides; the suffix only tells what a damaged file was meant to be."""
SUPPORTED_SUFFIXES: Final = (*TEXT_KINDS, *BINARY_KINDS)
"""Files with other suffixes are skipped in folders. Given by name they are accepted if they contain text."""
