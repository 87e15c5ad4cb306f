"""The pictures of a page, whose content is not read."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path
from typing import Any, NamedTuple

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from rag.readers.pdf.direct_call import direct_call, pointer_address
from rag.readers.pdf.layout.box import Box

_MAX_OBJECTS = 500
"""The number of a page's objects that are examined, pictures or not."""
_MIN_SIDE = 36.0
"""In points; smaller pictures are icons, rules and bullets."""
_BACKGROUND = 0.8
"""Share of the page that a background covers, or the scan of a page whose text was recognized."""


class _Address(ctypes.c_void_p):
    """Returned as it is, while a `c_void_p` would be converted to an integer."""


_OBJECT = direct_call(pdfium_c.FPDFPage_GetObject, _Address)
_TYPE = direct_call(pdfium_c.FPDFPageObj_GetType, ctypes.c_int)


def has_pictures(path: Path) -> bool:
    """False if the file surely contains no pictures: the dictionaries of streams are never compressed."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"/Image") >= 0


class Pictures(NamedTuple):
    shown: int
    """How many, without icons and backgrounds."""
    has_background: bool


def page_pictures(page: pdfium.PdfPage) -> Pictures:
    width, height = page.get_size()
    address, count, has_background = _Address(pointer_address(page.raw)), 0, False
    for index in range(min(pdfium_c.FPDFPage_CountObjects(page.raw), _MAX_OBJECTS)):
        if _TYPE(_OBJECT(address, index)) == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            box = _bounds(pdfium_c.FPDFPage_GetObject(page.raw, index))
            if box.width * box.height > _BACKGROUND * width * height:
                has_background = True
            else:
                count += min(box.width, box.height) >= _MIN_SIDE
    return Pictures(count, has_background)


def is_blank(page: pdfium.PdfPage) -> bool:
    return bool(pdfium_c.FPDFPage_CountObjects(page) <= 0)


def _bounds(page_object: Any) -> Box:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium_c.FPDFPageObj_GetBounds(page_object, left, bottom, right, top)
    return Box(left.value, bottom.value, right.value, top.value)
