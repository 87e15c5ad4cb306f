"""Code in <pre> elements: its lines, its language, and the line numbers and buttons that are no part of it."""

from __future__ import annotations

import re
from itertools import islice

from rag.readers.html.tree import replace_with_text
from rag.readers.safe_xml import Element

_NUMBERED = ("span", "td", "div", "a", "i")
_LINE_NUMBERS = re.compile(r"(?:^|[\s_-])(?:line-?no\w*|line-?numbers?|ln|gutter|blob-num)(?:$|[\s_-])", re.IGNORECASE)
_MAX_PARTS = 2000
_NUMBERS = re.compile(r"[\d\s]*")
_LANGUAGE = re.compile(
    r"(?:^|\s)(?:(?:language|lang|highlight-source|highlight)-|(?:sourceCode|brush:)\s*)([A-Za-z][\w+#.]*)"
)
_NO_LANGUAGES = frozenset(("default", "none", "text", "txt", "plaintext", "plain", "nohighlight", "output"))


def remove_line_numbers(root: Element) -> None:
    """Remove the line numbers and buttons of code."""
    for element in list(root.iter("button", *_NUMBERED)):
        is_extra = element.tag == "button" or bool(_LINE_NUMBERS.search(element.get("class") or ""))
        if is_extra and _is_in_code(element) and (element.tag == "button" or _is_number(element)):
            replace_with_text(element, "")


def _is_in_code(element: Element) -> bool:
    """Whether it is in <pre>, or in a table's row with a cell of code."""
    if any(True for _ in element.iterancestors("pre", "code")):
        return True
    row = element.getparent() if element.tag == "td" else None
    return row is not None and any(cell.find(".//pre") is not None or cell.find(".//code") is not None for cell in row)


def _is_number(element: Element) -> bool:
    texts = list(islice(element.itertext(), _MAX_PARTS + 1))
    return len(texts) <= _MAX_PARTS and all(map(_NUMBERS.fullmatch, texts))


def code_text(element: Element) -> str:
    """The text with its line ends."""
    for line_end in element.iter("br"):
        line_end.text = "\n"
    return "".join(element.itertext()).strip("\n")


def code_language(element: Element) -> str:
    """By the class names of the element, of <code> in it, or of the two elements around it; empty if they name none."""
    around = [parent for _, parent in zip(range(2), element.iterancestors(), strict=False)]
    for part in (element, *element.iter("code"), *around):
        if match := _LANGUAGE.search(part.get("class") or ""):
            return "" if match[1].lower() in _NO_LANGUAGES else match[1].lower()
    return ""
