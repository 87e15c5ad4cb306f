"""A document's attributes as requests give them: OpenAI's limits, told in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag.errors import InvalidRequest
from rag.records import MAX_ATTRIBUTES
from rag.types import Attributes

MAX_KEY_CHARS = 64
MAX_TEXT_CHARS = 512


def checked_attributes(attributes: Mapping[str, Any] | None, param: str = "attributes") -> Attributes:
    """Raises InvalidRequest with the first that cannot be kept; None are none."""
    if attributes is None:
        return {}
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"{param}: there are {MAX_ATTRIBUTES} at most", param=param)
    for key, value in attributes.items():
        if not 1 <= len(key) <= MAX_KEY_CHARS or not _can_be_kept(key):
            raise InvalidRequest(f"{param}: a key has 1 to {MAX_KEY_CHARS} characters", param=param)
        if (problem := _problem(value)) is not None:
            raise InvalidRequest(f"{param}.{key}: {problem}", param=param)
    return attributes


def _problem(value: object) -> str | None:
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARS:
            return f"a text has {MAX_TEXT_CHARS} characters at most"
        return None if _can_be_kept(value) else "has a NUL character, or half a surrogate pair"
    if isinstance(value, int | float):
        return None if abs(value) < 2**63 else "the number is too large"  # of NaN, too, this is not true
    return "must be text, a number or a boolean"


def _can_be_kept(text: str) -> bool:
    if "\0" in text:
        return False  # by PostgreSQL
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
