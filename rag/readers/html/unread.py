"""Finds the parts of a page that cannot be read: embedded pages, videos, drawings, and text written by JavaScript."""

from __future__ import annotations

from collections import Counter
from typing import Final

from rag.readers.html.tree import replace_with_text
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.types import ReadingWarning

NEEDS_JAVASCRIPT: Final = warning("needs_javascript")
_EMBEDDED = {
    **dict.fromkeys(("iframe", "frame"), "embedded_pages"),
    **dict.fromkeys(("object", "embed", "applet"), "embedded_objects"),
    "video": "videos",
    "audio": "sound_recordings",
    **dict.fromkeys(("canvas", "svg"), "drawings"),
}
_INVISIBLE_SIZES = ("0", "1", "0px", "1px")
_APP = (
    "//div[@id='root' or @id='app' or @id='__next' or @id='__nuxt' or @id='___gatsby'][not(normalize-space())]"
    " | //app-root[not(normalize-space())]"
    " | //noscript[contains(., 'JavaScript') or contains(., 'Javascript') or contains(., 'javascript')]"
)
_MANY_SCRIPT_CHARS = 5000
_FEW_WORDS = 40


def remove_embedded(root: Element) -> list[ReadingWarning]:
    """Remove embedded content. Returns a warning for each kind that a reader of the page would see."""
    counts: Counter[str] = Counter()
    for element in reversed(list(root.iter(*_EMBEDDED))):
        if _is_visible(element):
            counts[_EMBEDDED[element.tag]] += 1
        replace_with_text(element, "")
    return [warning(code, count=count) for code, count in sorted(counts.items())]


def _is_visible(element: Element) -> bool:
    if any(True for _ in element.iterancestors("object", "video", "audio", "svg")):
        return False
    if element.tag == "svg":  # most are icons
        return any("".join(text.itertext()).strip() for text in element.iter("text"))
    if element.get("width") in _INVISIBLE_SIZES or element.get("height") in _INVISIBLE_SIZES:
        return False
    source = element.get("src") or ""
    return element.tag not in ("iframe", "frame") or bool(element.get("srcdoc")) or not source.startswith("about:")


def is_application(root: Element) -> bool:
    """Whether scripts may write the text of the page; to be asked before scripts are removed."""
    scripts = sum(len(script.text or "") for script in root.iter("script") if _is_program(script))
    return scripts > _MANY_SCRIPT_CHARS or (root.find(".//script") is not None and bool(root.xpath(_APP)))


def _is_program(script: Element) -> bool:
    return "json" not in (script.get("type") or "")


def has_few_words(texts: list[str]) -> bool:
    return sum(len(text.split()) for text in texts) < _FEW_WORDS
