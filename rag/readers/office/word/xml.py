"""The names of WordprocessingML, and small pieces of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree  # type: ignore[import-untyped]

from rag.readers.safe_xml import Element

NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
W = f"{{{NAMESPACE}}}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def run(text: str) -> Element:
    element: Element = etree.Element(f"{W}r")
    child = etree.SubElement(element, f"{W}t")
    child.text = text
    child.set(_SPACE, "preserve")
    return element


def paragraph(*runs: Element) -> Element:
    element: Element = etree.Element(f"{W}p")
    for part in runs:
        element.append(part)
    return element


def table(rows: Sequence[Sequence[str]]) -> Element:
    """A table whose first row is its header."""
    element: Element = etree.Element(f"{W}tbl")
    for index, cells in enumerate(rows):
        row = etree.SubElement(element, f"{W}tr")
        if index == 0:
            etree.SubElement(etree.SubElement(row, f"{W}trPr"), f"{W}tblHeader")
        for cell in cells:
            etree.SubElement(row, f"{W}tc").append(paragraph(run(cell)))
    return element


def value(element: Element | None, path: str) -> str | None:
    """The `w:val` of the first element at a path such as `pPr/numPr/numId`; None if there is none."""
    found = element.find("/".join(W + name for name in path.split("/"))) if element is not None else None
    return found.get(f"{W}val") if found is not None else None


def is_on(element: Element | None) -> bool:
    """The value of a switch such as `<w:vanish/>`."""
    return element is not None and element.get(f"{W}val") not in ("0", "false", "off", "none")


def prepend(element: Element, text: str) -> None:
    """Put text at the start of a paragraph."""
    properties = element.find(f"{W}pPr")
    element.insert(0 if properties is None else element.index(properties) + 1, run(text))


def outermost(element: Element, *names: str) -> Element | None:
    """The outermost ancestor with one of these names."""
    found = list(element.iterancestors(*(W + name for name in names)))
    return found[-1] if found else None


def plain_text(element: Element) -> str:
    return "".join(text.text or "" for text in element.iter(f"{W}t"))


def paragraphs(element: Element) -> Iterator[Element]:
    return element.iter(f"{W}p")
