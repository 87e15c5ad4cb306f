"""Code in <pre> elements: its lines, its language, and the line numbers and buttons that are no part of it."""

from __future__ import annotations

import re

from rag.readers.html.tree import replace_with_text
from rag.readers.safe_xml import Element

_EXTRAS = (
    "//pre//button | //pre//*[contains(@class, 'line') and contains(@class, 'n')]"
    " | //td[contains(@class, 'lineno') or contains(@class, 'gutter') or contains(@class, 'blob-num')]"
)
_LINE_NUMBERS = re.compile(r"(?:^|[\s_-])(?:line-?no\w*|line-?numbers?|ln|gutter|blob-num)(?:$|[\s_-])", re.IGNORECASE)
_NUMBERS = re.compile(r"[\d\s]*")
_LANGUAGE = re.compile(
    r"(?:^|\s)(?:(?:language|lang|highlight-source|highlight)-|(?:sourceCode|brush:)\s*)([A-Za-z][\w+#.]*)"
)
_NO_LANGUAGES = frozenset(("default", "none", "text", "txt", "plaintext", "plain", "nohighlight", "output"))


def remove_line_numbers(root: Element) -> None:
    """Remove the line numbers and buttons of code."""
    for element in root.xpath(_EXTRAS):
        is_number = _LINE_NUMBERS.search(element.get("class") or "") and _NUMBERS.fullmatch("".join(element.itertext()))
        if element.tag == "button" or is_number:
            replace_with_text(element, "")


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
