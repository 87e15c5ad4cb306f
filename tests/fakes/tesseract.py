from __future__ import annotations

import types


class FakeTesseract(types.ModuleType):
    """Replaces the module `pytesseract`; supports all languages except `xxx`."""

    TesseractError = ValueError

    @staticmethod
    def image_to_string(image: object, lang: str, timeout: float) -> str:
        if lang == "xxx":
            raise ValueError("no such language")
        return f"read in {lang}\f"
