"""The language of a document as an attribute of its chunks, so that filters apply to it, although nobody set it."""

from __future__ import annotations

from rag.types import Attributes

KEY = "language"
_MARK = "rag.language_is_recognized"


def with_language(attributes: Attributes, language: str) -> Attributes:
    """The attributes of a document's chunks. A `language` that the document's own attributes set is kept."""
    if not language or KEY in attributes:
        return attributes
    return {KEY: language, _MARK: True, **attributes}


def without_language(attributes: Attributes) -> Attributes:
    """The attributes that were set for the document, given those of a chunk."""
    if _MARK not in attributes:
        return attributes
    return {key: value for key, value in attributes.items() if key not in (KEY, _MARK)}
