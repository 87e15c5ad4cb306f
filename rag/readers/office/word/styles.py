"""What the styles of a Word document, and direct formatting in place of styles, say about its paragraphs."""

from __future__ import annotations

from typing import Final

from lxml import etree  # type: ignore[import-untyped]

from rag.readers.office.word import xml as word_xml
from rag.readers.office.word.xml import W
from rag.readers.safe_xml import Element

OUTLINE_STYLE: Final = "RagOutline"
"""With a level from 1: the style that paragraphs with a level in the outline get, which makes them headings."""
_MAX_LEVEL = 6
_MAX_TITLE_CHARS = 200
_MAX_STYLES = 20


def hidden_styles(styles: Element | None) -> frozenset[str]:
    """The ids of the styles whose text is hidden, by themselves or by a style that they are based on."""
    if styles is None:
        return frozenset()
    by_id = {style.get(f"{W}styleId") or "": style for style in styles.findall(f"{W}style")}
    return frozenset(name for name in by_id if _hides(by_id, name))


def _hides(by_id: dict[str, Element], name: str) -> bool:
    for _ in range(_MAX_STYLES):
        style = by_id.get(name)
        if style is None:
            return False
        if (switch := style.find(f"{W}rPr/{W}vanish")) is not None:
            return word_xml.is_on(switch)
        name = word_xml.value(style, "basedOn") or ""
    return False


def mark_headings(body: Element) -> None:
    """Give the paragraphs that are in the outline by their own formatting a style that makes them headings."""
    for level in body.iter(f"{W}outlineLvl"):
        properties = level.getparent()
        paragraph = properties.getparent() if properties is not None else None
        value = level.get(f"{W}val") or ""
        if properties is None or paragraph is None or not value.isdigit() or int(value) >= _MAX_LEVEL:
            continue
        style = word_xml.value(paragraph, "pPr/pStyle") or ""
        is_short = 0 < len(word_xml.plain_text(paragraph).strip()) <= _MAX_TITLE_CHARS
        if is_short and properties.tag == f"{W}pPr" and not style.startswith(("Heading", "Title")):
            for old in properties.findall(f"{W}pStyle"):
                properties.remove(old)
            mark = etree.Element(f"{W}pStyle")
            mark.set(f"{W}val", f"{OUTLINE_STYLE}{int(value) + 1}")
            properties.insert(0, mark)
