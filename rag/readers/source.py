"""A file to be read, as its reader gets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag.errors import ParsingLimit


@dataclass(frozen=True, slots=True)
class ReadOptions:
    max_text_chars: int = 50_000_000
    """A file with more text is refused."""
    ocr_languages: str = ""
    """Languages for Tesseract, such as `eng+deu`; empty: scanned pages are not read."""
    timeout_s: float = 120.0
    """For programs that a reader runs; the reader itself is stopped from outside."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Errors that a reader raises are about this file, but do not name it: `rag.readers.read` does."""

    path: Path
    name: str
    media_type: str
    options: ReadOptions

    def content(self) -> bytes:
        return self.path.read_bytes()

    def too_much_text(self) -> ParsingLimit:
        return ParsingLimit(f"has more than {self.options.max_text_chars:,} characters of text; split it")
