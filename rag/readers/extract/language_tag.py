"""Language tags in file metadata."""

from __future__ import annotations

import re

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_NO_LANGUAGE = ("und", "zxx", "mul", "mis")


def language_tag(value: object) -> str:
    """The value as a BCP 47 tag such as `de-AT`; empty if it is not one, or names no language."""
    tag = str(value or "").strip()
    if not _TAG.fullmatch(tag) or tag.lower() in _NO_LANGUAGE or len(tag) > 35:
        return ""
    return tag.replace("_", "-")
