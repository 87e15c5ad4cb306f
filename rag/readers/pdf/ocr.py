"""Optical character recognition (OCR) of scanned pages with Tesseract, an optional dependency."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from typing import Protocol

from rag.errors import UnsupportedFile

_DPI = 300
_MAX_PIXELS = 5000
"""Maximum length of the longer side: a PDF can declare pages of any size."""
_INSTALL = "pip install pytesseract; apt-get install tesseract-ocr (and tesseract-ocr-deu, ... for other languages)"


def missing_ocr() -> str:
    """What to install for OCR; empty if everything is installed."""
    missing = [] if importlib.util.find_spec("pytesseract") else ["the Python package pytesseract"]
    missing += [] if shutil.which("tesseract") else ["the program tesseract"]
    return f"OCR needs {' and '.join(missing)}: {_INSTALL}" if missing else ""


class PdfPage(Protocol):
    """The part of pypdfium2's `PdfPage` that is used here."""

    def get_size(self) -> tuple[float, float]: ...
    def render(self, *, scale: float, grayscale: bool) -> PdfBitmap: ...


class PdfBitmap(Protocol):
    def to_pil(self) -> object: ...


def page_text(page: PdfPage, languages: str, timeout_s: float) -> str:
    """The recognized text of a page.

    Raises:
        UnsupportedFile: Tesseract is not installed, or does not support the language.
    """
    if missing := missing_ocr():
        raise UnsupportedFile(f"has scanned pages; {missing}")
    pytesseract = importlib.import_module("pytesseract")
    scale = min(_DPI / 72, _MAX_PIXELS / max(*page.get_size(), 1))
    image = page.render(scale=scale, grayscale=True).to_pil()
    try:
        return str(pytesseract.image_to_string(image, lang=languages, timeout=timeout_s)).replace("\f", "")
    except pytesseract.TesseractError as error:
        raise UnsupportedFile(f"has scanned pages that Tesseract cannot read: {str(error)[:200]}") from None
