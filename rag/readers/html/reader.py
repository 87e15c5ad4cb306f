"""HTML -> Markdown: the text that a browser shows, without scripts, styles and hidden elements."""

from __future__ import annotations

import re
from typing import NamedTuple

from lxml import etree  # type: ignore[import-untyped]

from rag.errors import NoTextFound, ParsingLimit
from rag.readers.extract.text_builder import DocumentBlock, TextBuilder
from rag.readers.html.blocks import BLOCK_TAGS, to_blocks
from rag.readers.html.boilerplate import remove_boilerplate
from rag.readers.html.code import remove_line_numbers
from rag.readers.html.inline_text import replace_inline
from rag.readers.html.labels import pair_labels
from rag.readers.html.styles import mark_scripts
from rag.readers.html.tree import replace_with_text
from rag.readers.html.unread import NEEDS_JAVASCRIPT, has_few_words, is_application, remove_embedded
from rag.readers.reading_report import warning
from rag.readers.safe_xml import Element
from rag.readers.source import SourceFile
from rag.types import Extract, ReadingWarning

_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_HIDDEN_TAGS = frozenset(("script", "style", "template", "noscript", "title", "head"))
_WORD = re.compile(r"\w+")
_MAX_NEW_WORDS = 0.3
"""A description with more words that the page does not contain says something new."""
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DOCUMENT_END = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
"""Browsers show text after it, which libxml2 would drop."""
_TOO_DEEP = "has elements nested too deeply"


class HtmlPage(NamedTuple):
    """A parsed page."""

    blocks: list[DocumentBlock]
    title: str
    """The text of the <title> element."""
    language: str
    description: str = ""
    warnings: tuple[ReadingWarning, ...] = ()
    """What was left out or cannot be read."""


def read(source: SourceFile) -> Extract:
    page = parse_html(source.text(is_html=True), is_website=True)
    if not page.blocks and NEEDS_JAVASCRIPT in page.warnings:
        raise NoTextFound("has no text without JavaScript; save the page from a browser, or print it to PDF")
    builder = TextBuilder(source)
    for each in page.warnings:
        builder.warn(each)
    first_title = next((block.title for block in page.blocks if block.level == 1), "")
    if page.title and not first_title and page.blocks:
        builder.add_heading(1, page.title)
    builder.add_blocks(_with_description(page))
    return builder.extract(title=page.title or first_title, language=page.language)


def parse_html(html: str, *, is_website: bool = False) -> HtmlPage:
    """Convert a page, or a document in HTML such as an e-mail or the chapter of a book.

    Args:
        is_website: Leave out navigation and the like.

    Raises:
        ParsingLimit: elements are nested too deeply.
    """
    root = _parse(html)
    if root is None:
        return HtmlPage([], "", "")
    title, description = _title(root), _description(root)
    language = root.get("lang") or root.get(_XML_LANG) or ""
    is_program = is_website and is_application(root)
    mark_scripts(root)
    warnings = _without_unread(root, is_website=is_website)
    _close_definitions(root)
    try:
        replace_inline(root, BLOCK_TAGS)
        pair_labels(root, BLOCK_TAGS)
        blocks = to_blocks(root)
    except RecursionError:
        raise ParsingLimit(_TOO_DEEP) from None
    if is_program and has_few_words([block.text for block in blocks]):
        warnings.append(NEEDS_JAVASCRIPT)
    return HtmlPage(blocks, title, language, description, tuple(warnings))


def _without_unread(root: Element, *, is_website: bool) -> list[ReadingWarning]:
    """Remove what is no text of the document, and say what it was."""
    remove_line_numbers(root)
    hidden = _remove_hidden(root)
    boilerplate = remove_boilerplate(root) if is_website else 0
    return [
        *([warning("boilerplate", count=boilerplate)] if boilerplate else ()),
        *([warning("hidden_text", count=hidden)] if hidden else ()),
        *remove_embedded(root),
    ]


def _with_description(page: HtmlPage) -> list[DocumentBlock]:
    """The page's blocks, and its description after the title if the page does not say the same."""
    if not page.description:
        return page.blocks
    words = set(_WORD.findall(page.description.casefold()))
    present = set(_WORD.findall(" ".join([page.title, *(block.text for block in page.blocks)]).casefold()))
    if not page.blocks or len(words - present) <= _MAX_NEW_WORDS * len(words):
        return page.blocks
    start = 1 if page.blocks[0].level == 1 else 0
    return [*page.blocks[:start], DocumentBlock(page.description), *page.blocks[start:]]


def _title(root: Element) -> str:
    """The page's title: pictures in SVG have titles, too."""
    titles = root.xpath("//title[not(ancestor::svg)]")
    return " ".join("".join(titles[0].itertext()).split()) if titles else ""


def _description(root: Element) -> str:
    for element in root.xpath("//meta[@name='description' or @name='Description']"):
        return " ".join((element.get("content") or "").split())
    return ""


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


def _remove_hidden(root: Element) -> int:
    """Returns the number of characters of hidden text."""
    chars = 0
    for element in reversed([element for element in root.iter(etree.Element) if _is_hidden(element)]):
        if element.tag not in _HIDDEN_TAGS:
            chars += len(" ".join("".join(element.itertext()).split()))
        replace_with_text(element, "")
    return chars


def _is_hidden(element: Element) -> bool:
    if element.tag in _HIDDEN_TAGS:
        return True
    attributes = element.attrib
    if not attributes:
        return False
    is_hidden = "hidden" in attributes and attributes["hidden"].lower() != "until-found"
    is_hidden = is_hidden or ("style" in attributes and bool(_HIDDEN_STYLE.search(attributes["style"])))
    return is_hidden and not _is_formula(element)


def _is_formula(element: Element) -> bool:
    """Whether it is the formula of the picture that follows, which browsers show instead."""
    following = element.getnext()
    return following is not None and following.tag == "img" and element.find(".//math") is not None
