"""Edits a tree of HTML elements."""

from __future__ import annotations

from rag.readers.safe_xml import Element


def replace_with_text(element: Element, text: str) -> None:
    """Put text in the place of an element. The text after the element stays."""
    parent = element.getparent()
    if parent is None:
        element.clear()
        return
    text += element.tail or ""
    before = element.getprevious()
    if text and before is not None:
        before.tail = (before.tail or "") + text
    elif text:
        parent.text = (parent.text or "") + text
    parent.remove(element)


def become_text(element: Element, text: str) -> None:
    """Put text in the place of an element. Other than `replace_with_text`, this takes no time to join texts."""
    tail = element.tail
    element.clear()
    element.tag = "span"
    element.text, element.tail = text, tail


def text_before(element: Element, boundary: frozenset[str]) -> str:
    """The text directly before an element in its line; tags in `boundary` begin and end a line."""
    found = ""
    for _ in range(_MAX_STEPS):
        if len(found) >= _ENOUGH:
            break
        before, parent = element.getprevious(), element.getparent()
        if before is not None:
            found = (before.tail or "") + found
            if before.tag in boundary:
                break
            found = ("" if len(found) >= _ENOUGH else _last_text(before)) + found
            element = before
        elif parent is not None:
            found = (parent.text or "") + found
            if parent.tag in boundary:
                break
            element = parent
        else:
            break
    return found


def text_after(element: Element, boundary: frozenset[str]) -> str:
    """The first text after an element in its line; tags in `boundary` begin and end a line."""
    for _ in range(_MAX_STEPS):
        if element.tail:
            return element.tail
        following, parent = element.getnext(), element.getparent()
        if following is not None:
            if following.tag in boundary:
                return ""
            if text := next(filter(None, following.itertext()), ""):
                return text
            element = following
        elif parent is None or parent.tag in boundary:
            return ""
        else:
            element = parent
    return ""


_ENOUGH = 40
_MAX_STEPS = 100
"""A line may consist of thousands of elements without text."""


def _last_text(element: Element) -> str:
    """The last piece of text within an element."""
    while len(element):
        last = element[-1]
        if last.tail:
            return last.tail
        element = last
    return element.text or ""
