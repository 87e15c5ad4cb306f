"""The marks `[1]` and `[1, 3]` of an answer, as references to its sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Hit

_MARK = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


@dataclass(frozen=True, slots=True)
class Citation:
    index: int
    """Number of the source, from 1."""
    file_id: str
    start: int
    end: int
    """Character range of the mark in the answer."""


def find_citations(answer: str, sources: Sequence[Hit]) -> list[Citation]:
    """Every mark that names a source, in the order of the text; marks that name none are left out."""
    found = []
    for mark in _MARK.finditer(answer):
        for index in (int(number) for number in mark[1].split(",")):
            if 1 <= index <= len(sources):
                found.append(Citation(index, sources[index - 1].chunk.file_id, mark.start(), mark.end()))
    return found
