"""Plain text, including text formats without a reader of their own."""

from __future__ import annotations

from rag.readers.source import SourceFile
from rag.readers.text.page_breaks import without_page_breaks
from rag.types import Extract


def read(source: SourceFile) -> Extract:
    return Extract(text=without_page_breaks(source.text()), media_type=source.media_type)
