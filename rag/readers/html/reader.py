"""HTML -> Markdown: the text that a browser shows, without scripts, styles and hidden elements."""

from __future__ import annotations

import re
from typing import NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from rag.errors import ParsingLimit
from rag.readers.html.blocks import BLOCK_TAGS, to_blocks
from rag.readers.html.boilerplate import remove_boilerplate
from rag.readers.html.inline_text import replace_inline
from rag.readers.html.tree import replace_with_text
from rag.readers.safe_xml import Element
from rag.readers.source import SourceFile
from rag.readers.text_builder import Block, TextBuilder
from rag.types import Extract

_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_HIDDEN_TAGS = frozenset(("script", "style", "template", "noscript", "svg", "iframe", "object", "title", "head"))
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DOCUMENT_END = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
"""Browsers show text after it, which libxml2 would drop."""
_TOO_DEEP = "has elements nested too deeply"


class HtmlPage(NamedTuple):
    """A parsed page."""

    blocks: list[Block]
    title: str
    """The text of the <title> element."""
    language: str
    warnings: tuple[str, ...] = ()
    """What was left out or cannot be read."""


def read(source: SourceFile) -> Extract:
    page = parse_html(source.text(is_html=True), without_boilerplate=True)
    builder = TextBuilder(source)
    for warning in page.warnings:
        builder.warn(warning)
    first_title = next((block.title for block in page.blocks if block.level == 1), "")
    if page.title and not first_title and page.blocks:
        builder.add_heading(1, page.title)
    builder.add_blocks(page.blocks)
    return builder.extract(title=page.title or first_title, language=page.language)


def parse_html(html: str, *, without_boilerplate: bool = False) -> HtmlPage:
    """Convert a page, or a document in HTML such as an e-mail or the chapter of a book.

    Args:
        without_boilerplate: Leave out navigation and the like; for pages of websites.

    Raises:
        ParsingLimit: elements are nested too deeply.
    """
    root = _parse(html)
    if root is None:
        return HtmlPage([], "", "")
    title = _title(root)
    language = root.get("lang") or root.get(_XML_LANG) or ""
    _remove_hidden(root)
    _close_definitions(root)
    removed = remove_boilerplate(root) if without_boilerplate else 0
    warnings = (f"navigation and other boilerplate was left out ({removed:,} characters)",) if removed else ()
    try:
        replace_inline(root, BLOCK_TAGS)
        return HtmlPage(to_blocks(root), title, language, warnings)
    except RecursionError:
        raise ParsingLimit(_TOO_DEEP) from None


def _title(root: Element) -> str:
    """The page's title: pictures in SVG have titles, too."""
    titles = root.xpath("//title[not(ancestor::svg)]")
    return " ".join("".join(titles[0].itertext()).split()) if titles else ""


def _parse(html: str) -> Element | None:
    # `huge_tree` allows 2,048 levels instead of 256, which a page with unclosed <font> elements can exceed.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True)
    try:
        root: Element | None = etree.fromstring(_DOCUMENT_END.sub("", html).encode("utf-8", "replace"), parser)
    except etree.ParserError:  # the page is empty
        return None
    except etree.XMLSyntaxError:
        root = None
    if any("depth" in entry.message for entry in parser.error_log):
        raise ParsingLimit(_TOO_DEEP)
    return root


def _close_definitions(root: Element) -> None:
    """End <dt> and <dd> where the next one begins, as HTML says; libxml2 puts it inside."""
    for element in reversed(list(root.iter("dt", "dd"))):
        while (parent := element.getparent()) is not None and parent.tag in ("dt", "dd"):
            parent.addnext(element)


def _remove_hidden(root: Element) -> None:
    for element in [element for element in root.iter(etree.Element) if _is_hidden(element)]:
        replace_with_text(element, "")


def _is_hidden(element: Element) -> bool:
    if element.tag in _HIDDEN_TAGS:
        return True
    attributes = element.attrib
    if not attributes:
        return False
    return "hidden" in attributes or ("style" in attributes and bool(_HIDDEN_STYLE.search(attributes["style"])))
