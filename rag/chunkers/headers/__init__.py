"""Finds the header of a passage that begins inside a table, a list or a record: text above it that it depends on.

A passage that holds only the row `| PX-037 | pump | 230 |` means little without the table's column names, and the line
`pressure: 4 bar` of a JSON file belongs to nothing without the record's key.
"""

from __future__ import annotations

import itertools

from rag.chunkers.headers.header import Header, Headers
from rag.chunkers.headers.line import lines_of
from rag.chunkers.headers.lists import list_headers
from rag.chunkers.headers.pdf_tables import pdf_table_headers
from rag.chunkers.headers.records import JSON_PATH, json_headers
from rag.chunkers.headers.tables import record_captions, row_keys, table_headers
from rag.chunkers.headers.text_tables import text_table_headers
from rag.types import Extract

__all__ = ["JSON_PATH", "Header", "Headers", "headers_of", "record_headers"]
_PDF_TYPE = "application/pdf"
_JSON_TYPES = ("application/json", "application/jsonl")


def record_headers(text: str) -> Headers:
    """The keys of the records in text that was read from JSON."""
    return Headers(json_headers(text))


def headers_of(extract: Extract) -> Headers:
    """The headers of tables, lists and records, found in the text as readers write it."""
    if extract.media_type in _JSON_TYPES:
        return record_headers(extract.text)
    lines = list(lines_of(extract.text))
    if extract.media_type == _PDF_TYPE:
        return Headers(itertools.chain(pdf_table_headers(lines), list_headers(lines), row_keys(lines)))
    tables = (table_headers(lines), text_table_headers(lines), record_captions(lines), row_keys(lines))
    return Headers(itertools.chain(*tables, list_headers(lines)))
