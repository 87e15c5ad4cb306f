"""The lines of a page and their positions, in PDFium's order: that in which the file draws them."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.readers.pdf.layout.box import Box, CharBoxes, are_on_line, box_around
from rag.readers.pdf.layout.hyphenation import LINE_END_HYPHEN
from rag.readers.pdf.layout.small_characters import Glyph, with_scripts

_MAX_CHARS = 60_000
"""The positions of a page with more characters are not looked at; a large poster has about 20,000."""
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
_LINE = re.compile(rf"[^\n{LINE_END_HYPHEN}]*(?:{LINE_END_HYPHEN} ?\n?|\n|$)")
_WORD = re.compile(rf"[^\s{LINE_END_HYPHEN}]+")
_GAP = 0.8
"""A space wider than this share of the line's height is between columns or cells, not between words."""
_WORD_GAP = 0.12
"""A space narrower than this share of the line's height is within a word."""
_SAME_LEVEL = 0.3
_SMALL = 0.8
"""A word is looked at for superscripts if its first and last letter differ in height by more than this factor."""
_MAX_SCRIPT_WORD = 40
_LONG = 6
"""Letters of a word that is surely wider than high, unless it is written vertically."""


class Segment(NamedTuple):
    """Words of a line without a wide gap between them."""

    text: str
    box: Box


class PageLine(NamedTuple):
    text: str
    segments: tuple[Segment, ...] = ()
    """In the order of the text; empty if the positions are not known."""
    box: Box = Box(0, 0, 0, 0)

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> PageLine:
        """A line of at least one segment."""
        if len(segments) == 1:
            return cls(segments[0].text, (segments[0],), segments[0].box)
        return cls(" ".join([text for text, _ in segments]), tuple(segments), box_around([box for _, box in segments]))


def plain_text(text: str) -> str:
    """Text with \\n as line ends and ligatures as letters; PDFium's mark for a hyphen and line end is replaced."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x02", LINE_END_HYPHEN)
    return text.replace("\0", "").translate(_LIGATURES)


def page_lines(page: pdfium.PdfPage) -> list[PageLine]:
    """Raises `pdfium.PdfiumError` for a damaged page."""
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        if len(text) == textpage.count_chars() <= _MAX_CHARS:
            return _LineReader(page, textpage, text).lines()
        return [PageLine(line.rstrip(" ")) for line in plain_text(text).split("\n")]
    finally:
        textpage.close()


class _LineReader:
    """Reads the lines of a page in which each character of the text has the same index as its glyph."""

    def __init__(self, page: pdfium.PdfPage, textpage: pdfium.PdfTextPage, text: str) -> None:
        self._boxes = CharBoxes(page, textpage)
        self._is_rotated = page.get_rotation() != 0
        self._textpage = textpage.raw
        self._text = text.replace("\x02", LINE_END_HYPHEN).replace("\r\n", " \n").replace("\r", "\n")
        self._scripts: list[tuple[int, int, str]] = []
        """Start, end and text of the words of a segment that contain superscripts."""

    def lines(self) -> list[PageLine]:
        spans = (match.span() for match in _LINE.finditer(self._text))
        return _merged(line for start, end in spans if start < end for line in self._lines(start, end))

    def _lines(self, start: int, end: int) -> list[PageLine]:
        """The lines that PDFium takes for one. Written for speed: this is where a page spends the most time."""
        read_box, box, textpage, rect = self._boxes.read, self._boxes.values, *self._boxes.arguments
        lines: list[PageLine] = []
        segments: list[Segment] = []
        segment_start, segment_end = -1, start
        left = bottom = right = top = max_gap = 0.0
        for match in _WORD.finditer(self._text, start, end):
            first, after = match.span()
            read_box(textpage, first, rect)
            word_left, word_top, word_right, word_bottom = box
            is_uneven = False
            if after - first > 1:
                read_box(textpage, after - 1, rect)
                last_left, last_top, last_right, last_bottom = box
                if last_right > word_right:
                    word_right = last_right
                if last_left < word_left:
                    word_left = last_left
                is_uneven = last_bottom != word_bottom or last_top != word_top
            is_below = word_bottom != bottom and not are_on_line(bottom, top, word_bottom, word_top)
            if segment_start < 0 or is_below or word_left - right > max_gap or left - word_right > max_gap:
                if segment_start >= 0:
                    segments.append(self._segment(segment_start, segment_end, Box(left, bottom, right, top)))
                if is_below and segments:
                    lines.append(_line(segments))
                    segments = []
                segment_start, max_gap = first, _GAP * (word_top - word_bottom)
                left, bottom, right, top = word_left, word_bottom, word_right, word_top
            if is_uneven:
                bottom, top = self._uneven(first, after, bottom, top)
            if word_right > right:
                right = word_right
            if word_left < left:
                left = word_left
            segment_end = after
        has_hyphen = LINE_END_HYPHEN in self._text[segment_end:end]
        if segment_start < 0:
            return [PageLine(LINE_END_HYPHEN if has_hyphen else "")]
        if has_hyphen:
            segment_end = self._text.index(LINE_END_HYPHEN, segment_end) + 1
        segments.append(self._segment(segment_start, segment_end, Box(left, bottom, right, top)))
        return [*lines, _line(segments)]

    def _segment(self, start: int, end: int, box: Box) -> Segment:
        text = self._text[start:end]
        if self._scripts:
            for script_start, script_end, script in reversed(self._scripts):
                text = text[: script_start - start] + script + text[script_end - start :]
            self._scripts.clear()
        return Segment(text if text.isascii() and "\0" not in text else plain_text(text), box)

    def _uneven(self, start: int, end: int, bottom: float, top: float) -> tuple[float, float]:
        """Look for superscripts in a word whose last letter, which was read last, is not like the first.

        Returns: The bottom and top of the segment: as before, unless the word is written vertically.
        """
        _, last_top, _, last_bottom = self._boxes.values
        small, large = sorted((last_top - last_bottom, top - bottom))
        if small < _SMALL * large and not self._is_rotated and end - start <= _MAX_SCRIPT_WORD:
            word = self._text[start:end]
            text = with_scripts([self._glyph(index) for index in range(start, end)])
            if text != word:
                self._scripts.append((start, end, text))
        elif last_bottom > top or last_top < bottom:
            return min(bottom, last_bottom), max(top, last_top)
        return bottom, top

    def _glyph(self, index: int) -> Glyph:
        x, baseline = ctypes.c_double(), ctypes.c_double()
        pdfium_c.FPDFText_GetCharOrigin(self._textpage, index, x, baseline)
        textpage, rect = self._boxes.arguments
        self._boxes.read(textpage, index, rect)
        _, top, _, bottom = self._boxes.values
        return Glyph(self._text[index], baseline.value, top - bottom)


def _merged(lines: Iterable[PageLine]) -> list[PageLine]:
    """The lines with those joined that PDFium divides, such as after a superscript or a wide gap."""
    merged: list[PageLine] = []
    for line in lines:
        if merged and line.segments and _goes_on(merged[-1], line):
            merged[-1] = _joined(merged[-1], line)
        else:
            merged.append(line)
    return merged


def _goes_on(line: PageLine, following: PageLine) -> bool:
    if not line.segments or line.text.endswith(LINE_END_HYPHEN):
        return False
    (_, bottom, _, top), (left, following_bottom, _, following_top) = line.box, following.box
    height = min(top - bottom, following_top - following_bottom)
    is_level = abs(bottom - following_bottom) < _SAME_LEVEL * height
    return is_level and left >= line.segments[-1].box.right - _SAME_LEVEL * height


def _joined(line: PageLine, following: PageLine) -> PageLine:
    last, first = line.segments[-1], following.segments[0]
    gap = first.box.left - last.box.right
    if gap > _GAP * first.box.height:
        return PageLine.of([*line.segments, *following.segments])
    space = "" if gap < _WORD_GAP * first.box.height else " "
    whole = Segment(f"{last.text}{space}{first.text}", last.box.joined(first.box))
    return PageLine.of([*line.segments[:-1], whole, *following.segments[1:]])


def _line(segments: Sequence[Segment]) -> PageLine:
    line = PageLine.of(segments)
    is_placed = math.isfinite(sum(line.box))
    for text, (left, bottom, right, top) in segments:
        if top - bottom > right - left and len(text) > _LONG:
            is_placed = False  # written vertically
    return line if is_placed else PageLine(line.text)
