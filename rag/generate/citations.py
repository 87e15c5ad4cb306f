"""References of an answer to its sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

CitationMode: TypeAlias = Literal["check", "verify", "off"]
"""`check`: citations of sources that do not exist are removed. `verify`: as `check`, and each cited sentence is scored
against the text of its source. `off`: the text is left as the model wrote it."""


@dataclass(frozen=True, slots=True)
class Citation:
    index: int
    """Number of the source, from 1."""
    file_id: str
    start: int
    end: int
    """Character range of the mark in the answer."""
    score: float | None = None
    """How well the source supports the cited sentence, in [0, 1]; None: nobody looked."""
    weak: bool = False
    """Whether that is too little."""
