"""The alternative text of pictures."""

from __future__ import annotations

import re
from itertools import islice

from rag.readers.html.tree import text_after, text_before
from rag.readers.safe_xml import Element

_FILE_NAME = re.compile(
    r".*\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?|avif)|\S*_\S*|(?:img|dsc|image|photo|screenshot|untitled)[- ]?\d+",
    re.IGNORECASE,
)
_FORMULA_CLASS = re.compile(r"\b(?:math|latex|tex|equation|formula)", re.IGNORECASE)
_SAYS_NOTHING = re.compile(
    r"(?:an? |the )?"
    r"(?:image|picture|photo|photograph|figure|icon|img|avatar|screenshot|thumbnail|spacer|bild|foto|imagen?)"
    r"|(?:share|tweet|follow)(?: this| us)? (?:on|via|by|with)\b.*|.{0,40}\b(?:logo|icon)",
    re.IGNORECASE,
)
_IN_NAMES = ("h1", "h2", "h3", "h4", "h5", "h6", "summary", "label")
_MAX_CHARS = 1000
_MAX_PARTS = 100


def picture_text(picture: Element, boundary: frozenset[str]) -> str:
    """What a picture shows, `Picture: a pump with two valves`; in links, headings and cells without a label.

    Empty if it has no alternative text, or the text around it says the same.
    """
    text = " ".join((picture.get("alt") or "").split())[:_MAX_CHARS]
    if not any(char.isalnum() for char in text):
        return text  # an emoji
    if _SAYS_NOTHING.fullmatch(text) or _FILE_NAME.fullmatch(text):
        return ""
    if "\\" in text or _FORMULA_CLASS.search(picture.get("class") or ""):
        return "" if _follows_formula(picture) else text
    around = _around(picture)
    if text.casefold() in around.casefold():
        return ""
    before, after = text_before(picture, boundary), text_after(picture, boundary)
    if any(True for _ in picture.iterancestors("a", "button")):
        return "" if around else text
    parent = picture.getparent()
    if any(True for _ in picture.iterancestors(*_IN_NAMES)) or (parent is not None and parent.tag in ("td", "th")):
        return text
    if before.strip() or after.strip():
        return f"{' ' if before[-1:].strip() else ''}(picture: {text}){' ' if after[:1].isalnum() else ''}"
    return f"Picture: {text}"


def _follows_formula(picture: Element) -> bool:
    """Whether it is the picture of the formula before it, for browsers that cannot show formulas."""
    before = picture.getprevious()
    return before is not None and any(True for _ in before.iter("math"))


def _around(picture: Element) -> str:
    """The text of the link or figure that a picture is in."""
    for parent in picture.iterancestors("a", "button", "figure"):
        texts = (text for part in islice(parent.iter(), _MAX_PARTS) for text in (part.text, part.tail) if text)
        return " ".join(" ".join(texts).split())
    return ""
