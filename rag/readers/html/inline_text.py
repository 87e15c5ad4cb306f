"""Replaces elements within lines by text: superscripts, ruby, form fields, formulas, pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rag.readers.html.alternative_text import picture_text
from rag.readers.html.mathml import linear_text
from rag.readers.html.tree import become_text, text_after, text_before
from rag.readers.notation.scripts import subscript, superscript
from rag.readers.safe_xml import Element

_NOTE_ROLES = ("doc-noteref", "noteref")
_EPUB_TYPE = ("epub:type", "{http://www.idpf.org/2007/ops}type")
_NOTE_CLASS = re.compile(r"\b(?:foot-?note|end-?note|note-?ref|fn-?ref|reference|cite_?ref)", re.IGNORECASE)
_NOTE_MARK = re.compile(r"[\[(]?\s*(?:\w{1,4}|[*†‡§¶]+)\s*[\])]?")
_BRACKETED = re.compile(r"\[(\d{1,3})\]")
_BACK_LINK = re.compile(r"[↩↑⤴^︎\s]+")
_ANCHOR_LINK = re.compile(r"[#§¶🔗\ufe0e\ufe0f\s]+")
"""The text of a link from a heading to itself."""
_VALUE_TYPES = frozenset(
    ("", "text", "search", "tel", "url", "email", "date", "month", "week", "time", "datetime-local", "number", "range")
)
TICKED, UNTICKED = "☑", "☐"


def replace_inline(root: Element, paragraphs: frozenset[str]) -> None:
    """Replace them in the whole tree.

    Args:
        paragraphs: Tags of the elements that begin and end a line of text.
    """
    for element in reversed(list(root.iter(*_REPLACEMENTS))):
        text = _REPLACEMENTS[element.tag](element, paragraphs)
        if text is not None:
            become_text(element, text)


_Boundary = frozenset[str]


def _script(element: Element, boundary: _Boundary) -> str | None:
    """None for a superscript that contains whole paragraphs."""
    if any(child.tag in boundary for child in element.iter("*")):
        return None
    content = "".join(element.itertext())
    if _is_note_mark(element, content):
        return ""
    notation = superscript if element.tag == "sup" else subscript
    return notation(text_before(element, boundary), content, text_after(element, boundary))


def _is_note_mark(element: Element, content: str) -> bool:
    """True for a superscript that links to a note."""
    links = [*element.iter("a"), *(parent for parent in (element.getparent(),) if parent is not None)]
    return bool(_NOTE_MARK.fullmatch(content.strip())) and any(_links_to_note(link) for link in links)


def _links_to_note(link: Element) -> bool:
    if link.tag != "a":
        return False
    if link.get("role") in _NOTE_ROLES or any(link.get(name) in _NOTE_ROLES for name in _EPUB_TYPE):
        return True
    href = link.get("href") or ""
    return bool(_NOTE_CLASS.search(link.get("class") or "")) or "#" in href


def _link(element: Element, boundary: _Boundary) -> str | None:
    """A note's mark, the arrow from a note back to its mark, or a heading's anchor; None for other links."""
    text = "".join(element.itertext())
    if (
        "#" in (element.get("href") or "")
        and text.strip()
        and (_BACK_LINK.fullmatch(text) or _ANCHOR_LINK.fullmatch(text))
    ):
        return ""
    is_in_script = any(True for _ in element.iterancestors("sup", "sub"))
    if "#" in (element.get("href") or "") and not is_in_script and (number := _BRACKETED.fullmatch(text.strip())):
        return f"({number[1]})"  # in an answer, [1] would look like a citation
    is_mark = element.get("role") in _NOTE_ROLES or any(element.get(name) in _NOTE_ROLES for name in _EPUB_TYPE)
    return "" if is_mark and _NOTE_MARK.fullmatch(text.strip()) else None


def _quotation(element: Element, boundary: _Boundary) -> str | None:
    """None for a quotation that contains whole paragraphs."""
    is_inline = not any(child.tag in boundary for child in element.iter("*"))
    return f"“{''.join(element.itertext()).strip()}”" if is_inline else None


def _nothing(element: Element, boundary: _Boundary) -> str:
    return ""


def _input(element: Element, boundary: _Boundary) -> str:
    kind = (element.get("type") or "").lower()
    if kind in ("checkbox", "radio"):
        return _padded(TICKED if "checked" in element.attrib else UNTICKED, element, boundary)
    return _padded(element.get("value") or "", element, boundary) if kind in _VALUE_TYPES else ""


def _select(element: Element, boundary: _Boundary) -> str:
    """The selected options; all options if none is selected."""
    options = list(element.iter("option"))
    selected = [option for option in options if "selected" in option.attrib] or options
    return _padded(", ".join(filter(None, map(_option_text, selected))), element, boundary)


def _option_text(option: Element) -> str:
    return " ".join((option.get("label") or "".join(option.itertext())).split())


def _textarea(element: Element, boundary: _Boundary) -> str:
    return _padded("".join(element.itertext()).strip(), element, boundary)


def _math(element: Element, boundary: _Boundary) -> str:
    return linear_text(element)


def _padded(text: str, element: Element, boundary: _Boundary) -> str:
    """With spaces where it would run into the words around it."""
    before, after = text_before(element, boundary), text_after(element, boundary)
    start = " " if text and before[-1:].strip() else ""
    return start + text + (" " if text and after[:1].isalnum() else "")


_REPLACEMENTS: Mapping[str, Callable[[Element, _Boundary], str | None]] = {
    **dict.fromkeys(("sup", "sub"), _script),
    **dict.fromkeys(("rt", "rp", "rtc"), _nothing),
    "a": _link,
    "q": _quotation,
    "input": _input,
    "select": _select,
    "textarea": _textarea,
    "math": _math,
    "img": picture_text,
}
