"""The resources that reading one file may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """The limits of one reader process."""

    timeout_s: float = 120.0
    memory_mib: int = 1024
    """In addition to the reader's own memory before it opens the file (about 100 MiB)."""
    max_text_chars: int = 50_000_000
