from __future__ import annotations

import types


class FakeTesseract(types.ModuleType):
    """In place of the module `pytesseract`: knows all languages but `xxx`."""

    TesseractError = ValueError

    @staticmethod
    def image_to_string(image: object, lang: str, timeout: float) -> str:
        if lang == "xxx":
            raise ValueError("no such language")
        return f"read in {lang}\f"
