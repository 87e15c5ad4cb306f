"""Plain text, including text formats without a reader of their own."""

from __future__ import annotations

from rag.readers.decoding import decode
from rag.readers.source import SourceFile
from rag.types import Extract


def read(source: SourceFile) -> Extract:
    return Extract(text=decode(source.content()), media_type=source.media_type)
