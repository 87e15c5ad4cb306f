"""A file to read, and the options of its reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rag.errors import ParsingLimit
from rag.readers.decoding import decode
from rag.readers.reading_report import ReadingReport


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of all readers."""

    max_text_chars: int = 50_000_000
    """Files with more text are rejected."""
    ocr_languages: str = ""
    """Languages for Tesseract, such as `eng+deu`; empty to leave scanned pages unread."""
    timeout_s: float = 120.0
    """Limit for programs that a reader starts; the reader itself is stopped by the fork server."""
    charset: str = ""
    """The encoding of a text file by the upload's Content-Type; empty if it names none."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. The errors of readers do not name the file; `rag.readers.read` adds the name."""

    path: Path
    name: str
    media_type: str
    options: ReadOptions
    report: ReadingReport = field(default_factory=ReadingReport)
    """What is not read; readers add to it, and `rag.readers.read` puts it into the Extract."""

    def content(self) -> bytes:
        return self.path.read_bytes()

    def text(self, *, is_html: bool = False) -> str:
        """The decoded content of a text file. Raises UnsupportedFile if it is not text."""
        return decode(self.content(), is_html=is_html, charset=self.options.charset, warn=self.report.warn)

    def text_limit_error(self) -> ParsingLimit:
        return ParsingLimit(f"has more than {self.options.max_text_chars:,} characters of text; split it")
