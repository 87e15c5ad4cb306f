"""The text of shapes, charts and diagrams (DrawingML)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from rag.readers.notation.list_number import format_number
from rag.readers.notation.scripts import subscript, superscript
from rag.readers.office import omml
from rag.readers.safe_xml import Element

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_CONTEXT_CHARS = 40
"""What is looked at before and after a superscript."""
_MAX_LEVEL = 8
_NUMBER_KINDS: Mapping[str, str] = {
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
    "arabic": "decimal",
}
_LABELS: Mapping[str, str] = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}"}


class _Piece(NamedTuple):
    """Text on the baseline (0), above it (1) or below it (-1)."""

    text: str
    position: int = 0


def body_text(body: Element) -> str:
    """The paragraphs, one a line. Those below the first level, and numbered ones, are list items."""
    lines = []
    counters = _Counters()
    for paragraph in body.findall(f"{A}p"):
        if text := paragraph_text(paragraph):
            properties = paragraph.find(f"{A}pPr")
            level = _level(properties)
            mark = counters.label(properties, level) or ("-" if level else "")
            indent = "  " * (level - 1) + (f"{mark} " if mark else "")
            lines.append(indent + text.replace("\n", "\n" + " " * len(indent)))
    return "\n".join(lines)


def paragraph_text(paragraph: Element) -> str:
    """The text of one paragraph, in several lines if it has line breaks."""
    pieces = [
        _Piece("".join(piece.text for piece in group), position)
        for position, group in groupby(_pieces(paragraph), lambda piece: piece.position)
    ]
    parts: list[str] = []
    before = ""
    for index, (text, position) in enumerate(pieces):
        if position:
            after = pieces[index + 1].text[:_CONTEXT_CHARS] if index + 1 < len(pieces) else ""
            text = (superscript if position > 0 else subscript)(before, text, after)
        parts.append(text)
        before = (before + text)[-_CONTEXT_CHARS:]
    return "".join(parts).replace("\v", "\n").strip()


def _pieces(paragraph: Element) -> Iterator[_Piece]:
    for child in paragraph:
        if child.tag == f"{A}r":
            yield _Piece(child.findtext(f"{A}t") or "", _position(child.find(f"{A}rPr")))
        elif child.tag == f"{A}br":
            yield _Piece("\n")
        elif child.tag == f"{A}fld" and child.get("type") != "slidenum":
            yield _Piece(child.findtext(f"{A}t") or "")
        elif next(child.iter(f"{omml.MATH}oMath"), None) is not None:
            yield _Piece(omml.linear_text(child))


def _position(properties: Element | None) -> int:
    """1 for superscripts, -1 for subscripts. `baseline` is a share of the font's size: `30000` or `30%`."""
    baseline = (properties.get("baseline") if properties is not None else None) or ""
    if not baseline.strip("-+0.%"):
        return 0
    return -1 if baseline.startswith("-") else 1


def _level(properties: Element | None) -> int:
    level = (properties.get("lvl") if properties is not None else None) or ""
    return min(int(level), _MAX_LEVEL) if level.isdecimal() and len(level) < 3 else 0


class _Counters:
    """Counts the numbered paragraphs of each level."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[str, int]] = {}

    def label(self, properties: Element | None, level: int) -> str:
        """The label of the next paragraph, which has text; empty if it is not numbered."""
        numbering = properties.find(f"{A}buAutoNum") if properties is not None else None
        self._counts = {other: count for other, count in self._counts.items() if other <= level}
        if numbering is None:
            self._counts.pop(level, None)
            return ""
        scheme, start = numbering.get("type") or "arabicPeriod", numbering.get("startAt") or "1"
        first = int(start) if start.isdecimal() and len(start) < 6 else 1
        previous, count = self._counts.get(level, (scheme, first - 1))
        number = count + 1 if previous == scheme else first
        self._counts[level] = scheme, number
        return _label(scheme, number)


def _label(scheme: str, number: int) -> str:
    kind = next((kind for name, kind in _NUMBER_KINDS.items() if scheme.startswith(name)), "decimal")
    pattern = next((label for name, label in _LABELS.items() if scheme.endswith(name)), "{}.")
    return pattern.format(format_number(number, kind))
