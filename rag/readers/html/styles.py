"""What a page's styles say about its text: superscripts and subscripts without elements of their own."""

from __future__ import annotations

import re

from rag.readers.safe_xml import Element

_SHIFTED = re.compile(r"vertical-align\s*:\s*(super|sub)\b", re.IGNORECASE)
_RULE = re.compile(r"(?:^|[},\s])(?:span)?\.([\w-]+)\s*\{([^{}]{0,2000})\}")
_MAX_SHEET_CHARS = 500_000


def mark_scripts(root: Element) -> None:
    """Turn spans that are raised or lowered, by their own style or that of their class, into <sup> and <sub>."""
    shifts = _shifted_classes(root)
    for span in root.iter("span"):
        own = _SHIFTED.search(span.get("style") or "")
        names = (span.get("class") or "").split()
        kind = own[1].lower() if own else next((shifts[name] for name in names if name in shifts), "")
        if kind and "".join(span.itertext()).strip():
            span.tag = "sup" if kind == "super" else "sub"


def _shifted_classes(root: Element) -> dict[str, str]:
    """Returns `super` or `sub` for each class that shifts text."""
    shifts: dict[str, str] = {}
    for sheet in root.iter("style"):
        text = (sheet.text or "")[:_MAX_SHEET_CHARS]
        if "vertical-align" in text:
            for name, body in _RULE.findall(text):
                if match := _SHIFTED.search(body):
                    shifts[name] = match[1].lower()
    return shifts
