"""Rectangles on a page, as it is shown: in points, with y growing upwards."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.readers.pdf.direct_call import direct_call, pointer_address

_LOOSE_CHAR_BOX = direct_call(pdfium_c.FPDFText_GetLooseCharBox, ctypes.c_int)


class Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def joined(self, other: Box) -> Box:
        left, bottom, right, top = other
        return Box(min(self.left, left), min(self.bottom, bottom), max(self.right, right), max(self.top, top))

    def is_on_line_of(self, other: Box) -> bool:
        """True if the middle of one is between the bottom and the top of the other."""
        return are_on_line(self.bottom, self.top, other.bottom, other.top)


def box_around(boxes: Sequence[Box]) -> Box:
    """The smallest box around all of the boxes, of which there is at least one."""
    left, bottom, right, top = boxes[0]
    for other_left, other_bottom, other_right, other_top in boxes:
        if other_left < left:
            left = other_left
        if other_bottom < bottom:
            bottom = other_bottom
        if other_right > right:
            right = other_right
        if other_top > top:
            top = other_top
    return Box(left, bottom, right, top)


def are_on_line(bottom: float, top: float, other_bottom: float, other_top: float) -> bool:
    middle, other_middle = (bottom + top) / 2, (other_bottom + other_top) / 2
    return other_bottom < middle < other_top or bottom < other_middle < top


def shown_box(page: pdfium.PdfPage, box: Box) -> Box:
    """A box of the file on the page as it is shown: cropped, and many wide tables are on pages that are rotated."""
    placed = _placement(page)
    return placed(*box) if placed else box


_Placement: TypeAlias = Callable[[float, float, float, float], Box]


class CharBoxes:
    """Reads the boxes of the characters of a page as it is shown. Written for speed: two are read for each word."""

    def __init__(self, page: pdfium.PdfPage, textpage: pdfium.PdfTextPage) -> None:
        rect = pdfium_c.FS_RECTF()
        self.values = memoryview(rect).cast("B").cast("f")
        """Left, top, right and bottom of the character that was read last."""
        self.arguments = ctypes.c_void_p(pointer_address(textpage.raw)), ctypes.c_void_p(ctypes.addressof(rect))
        """The first and the last argument of `read`."""
        self.read: Callable[[ctypes.c_void_p, int, ctypes.c_void_p], object] = _LOOSE_CHAR_BOX
        """Takes the index of a character as its second argument."""
        self._textpage = textpage
        if placed := _placement(page):
            self.read = self._shown_reader(placed)

    def _shown_reader(self, placed: _Placement) -> Callable[[ctypes.c_void_p, int, ctypes.c_void_p], object]:
        values = self.values

        def read_shown(textpage: ctypes.c_void_p, index: int, rect: ctypes.c_void_p) -> None:
            _LOOSE_CHAR_BOX(textpage, index, rect)
            left, top, right, bottom = values
            values[0], values[3], values[2], values[1] = placed(left, bottom, right, top)

        return read_shown


def _placement(page: pdfium.PdfPage) -> _Placement | None:
    """What moves a box of the file to its place on the page as it is shown; None if it is there."""
    left_edge, bottom_edge, right_edge, top_edge = page.get_bbox()
    match page.get_rotation():
        case 90:
            return lambda left, bottom, right, top: Box(
                bottom - bottom_edge, right_edge - right, top - bottom_edge, right_edge - left
            )
        case 180:
            return lambda left, bottom, right, top: Box(
                right_edge - right, top_edge - top, right_edge - left, top_edge - bottom
            )
        case 270:
            return lambda left, bottom, right, top: Box(
                top_edge - top, left - left_edge, top_edge - bottom, right - left_edge
            )
    if left_edge or bottom_edge:
        return lambda left, bottom, right, top: Box(
            left - left_edge, bottom - bottom_edge, right - left_edge, top - bottom_edge
        )
    return None
