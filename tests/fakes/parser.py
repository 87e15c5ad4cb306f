from __future__ import annotations

import threading
from pathlib import Path

from rag.errors import BrokenFile, UnsupportedFile
from rag.types import Extract, ReadingWarning

WARNINGS = (ReadingWarning("1 picture was not read", "pictures", {"count": 1}),)


class FakeParser:
    """Reads UTF-8. Rejects files that begin with `broken` or `damaged`, and warns of those that begin with `partly`.

    Waits while `gate` is not set.
    """

    def __init__(self) -> None:
        self.parsed: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def parse(self, path: Path, filename: str, charset: str = "") -> Extract:
        self.gate.wait(10)
        self.parsed.append(filename)
        text = path.read_text(charset or None)
        if text.startswith("broken"):
            raise UnsupportedFile(f"{filename}: is broken", param=filename)
        if text.startswith("damaged"):
            raise BrokenFile(f"{filename} is damaged", param=filename)
        return Extract(text, "text/plain", warnings=WARNINGS if text.startswith("partly") else ())

    def close(self) -> None:
        self.closed = True
