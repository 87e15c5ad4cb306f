"""The parser of files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from rag.types import Extract


class Parser(Protocol):
    """Extracts the text of files, isolated from this process: no file can crash it or exhaust its memory."""

    def parse(self, path: Path, filename: str, charset: str = "") -> Extract:
        """The text of a file. Blocks; concurrent calls from several threads are safe.

        Args:
            filename: The name as uploaded.
            charset: The encoding of a text file as its upload declares it; empty: not declared.

        Raises:
            UnsupportedFile: or a subclass, with the reason. The message contains the file name.
        """
        ...

    def close(self) -> None:
        """Stop the parser's processes."""
        ...
