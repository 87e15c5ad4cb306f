"""What one file may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParserLimits:
    timeout_s: float = 120.0
    memory_mib: int = 1024
    """On top of what a reader needs before it has opened the file (about 100 MiB)."""
    max_text_chars: int = 50_000_000
