"""Text of scanned pages, by Tesseract: an extra that is not installed with the rest."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from typing import Any

from rag.errors import UnsupportedFile

_DPI = 300
_MAX_PIXELS = 5000
"""Of a page's longer side; a page may claim to be as large as a house."""
_INSTALL = "pip install pytesseract; apt-get install tesseract-ocr (and tesseract-ocr-deu, ... for other languages)"


def missing_ocr() -> str:
    """What to install before scans can be read; empty when everything is there."""
    missing = [] if importlib.util.find_spec("pytesseract") else ["the Python package pytesseract"]
    missing += [] if shutil.which("tesseract") else ["the program tesseract"]
    return f"reading scans needs {' and '.join(missing)}: {_INSTALL}" if missing else ""


def page_text(page: Any, languages: str, timeout_s: float) -> str:
    """The text in a page's picture; `page` is PDFium's.

    Raises:
        UnsupportedFile: Tesseract is missing, or has no such language.
    """
    if missing := missing_ocr():
        raise UnsupportedFile(f"has scanned pages; {missing}")
    pytesseract = importlib.import_module("pytesseract")
    scale = min(_DPI / 72, _MAX_PIXELS / max(*page.get_size(), 1))
    image = page.render(scale=scale, grayscale=True).to_pil()
    try:
        return str(pytesseract.image_to_string(image, lang=languages, timeout=timeout_s)).replace("\f", "")
    except pytesseract.TesseractError as error:
        raise UnsupportedFile(f"has scanned pages, which Tesseract could not read: {str(error)[:200]}") from None
