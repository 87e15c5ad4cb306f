"""Superscripts and subscripts, which a PDF only shows by small characters above or below the line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from rag.readers.notation.scripts import subscript, superscript

_SMALL = 0.85
_RAISED = 0.15
"""Shares of the height of the word's largest character."""
_LOWERED = 0.04


class Glyph(NamedTuple):
    text: str
    baseline: float
    height: float


def with_scripts(word: Sequence[Glyph]) -> str:
    """The text of a word, with superscripts and subscripts as in `rag.readers.notation.scripts`."""
    base = max(word, key=lambda glyph: glyph.height)
    runs = [(kind, "".join(glyph.text for glyph in run)) for kind, run in groupby(word, lambda g: _kind(g, base))]
    text = ""
    for (kind, run), (_, after) in pairwise([*runs, (0, "")]):
        if kind > 0:
            text += superscript(text, run, after)
        elif kind < 0:
            text += subscript(text, run, after)
        else:
            text += run
    return text


def _kind(glyph: Glyph, base: Glyph) -> int:
    """1 for a superscript, -1 for a subscript, else 0. Small capitals stand on the line."""
    rise = glyph.baseline - base.baseline
    if glyph.height > _SMALL * base.height or rise == 0:
        return 0
    if rise > _RAISED * base.height:
        return 1
    return -1 if rise < -_LOWERED * base.height else 0
