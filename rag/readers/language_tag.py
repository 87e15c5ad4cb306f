"""Languages as files name them."""

from __future__ import annotations

import re

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_NONE = ("und", "zxx", "mul", "mis")


def language_tag(value: object) -> str:
    """A BCP 47 tag such as `de-AT`; empty for anything that is none."""
    tag = str(value or "").strip()
    if not _TAG.fullmatch(tag) or tag.lower() in _NONE or len(tag) > 35:
        return ""
    return tag.replace("_", "-")
