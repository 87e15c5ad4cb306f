"""Removes boilerplate from a page: navigation, cookie notices, share bars, sidebars, headers and footers.

Only parts that the page itself marks by elements, roles or class names are removed. Extractors of main content find
more boilerplate, but also remove parts of the document: they were made for articles, not for manuals, tables and lists.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from rag.readers.html.tree import replace_with_text
from rag.readers.safe_xml import Element

_ROLES = {
    **dict.fromkeys(("navigation", "search", "menu", "menubar", "toolbar"), "nav"),
    **dict.fromkeys(("complementary", "contentinfo", "banner", "dialog", "alertdialog"), "frame"),
}
_TAGS = {
    **dict.fromkeys(("nav", "search"), "nav"),
    **dict.fromkeys(("aside", "footer", "header", "dialog"), "frame"),
}
"""`nav` is navigation wherever it stands; `frame` is boilerplate around the document, but part of it inside."""
_LINK_WORDS: Final = frozenset(
    (
        *("nav", "navbar", "navi", "navigation", "subnav", "sidenav", "topnav", "menu", "submenu", "mainmenu"),
        *("breadcrumb", "breadcrumbs", "pagination", "pager", "prevnext", "sitemap"),
        *("share", "sharing", "sharebar", "sharedaddy", "addthis", "addtoany", "social", "socials", "socialmedia"),
        *("related", "relatedposts", "recommended", "recommendations", "similar"),
    )
)
"""Words in class names of blocks that are boilerplate if they are mostly links."""
_FRAME_WORDS: Final = frozenset(("sidebar", "footer", "footnav", "topbar", "masthead", "colophon", "header"))
"""As above, but only outside the document."""
_WIDGET = re.compile(r"widget(?:[_-]area)?|widget_.*", re.IGNORECASE)
"""The class names of WordPress for what stands in its sidebars."""
_PROMPT_WORDS: Final = frozenset(
    (
        *("cookie", "cookies", "consent", "gdpr", "onetrust", "cookiebot", "usercentrics", "didomi"),
        *("newsletter", "subscribe", "search", "login", "respond", "commentform"),
    )
)
"""Words in class names of blocks that are boilerplate if one can click or type there."""
_CONTENT_WORDS: Final = frozenset(("result", "results", "item", "items", "list", "table", "policy", "archive"))
"""Words in class names that indicate content."""
_CONTROLS: Final = frozenset(("button", "input", "form"))
_BLOCKS: Final = frozenset(
    ("div", "section", "ul", "ol", "dl", "table", "form", "p", "td", "tr", "span", "center", "menu")
)
_ID_BLOCKS: Final = frozenset(("div", "ul", "ol", "table", "form", "td"))
_NOTES = re.compile(r"foot-?notes?|end-?notes?", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_LAYOUT_CLASS = re.compile(r"(?:has|no|with|without|hide|show)[-_]|.*[-_]not[-_]", re.IGNORECASE)
_SKIP_LINK = re.compile(
    r"(?:skip|jump) (?:to|over|navigation)\b|(?:direkt )?zum inhalt\b|aller au contenu\b", re.IGNORECASE
)
_MOSTLY = 0.5
_ALMOST_ALL = 0.75
_MAX_SHARE = 0.2
"""A part with more of the page's text outside links is content, unless it is short or marked as boilerplate."""
_SHORT = 150
"""Characters outside links. On a page with little text, a cookie notice is a large share."""
_MAX_TOTAL_SHARE = 0.75
"""The limit for all boilerplate together; among a thousand pages, the most was 0.65."""
_MIN_DOCUMENT_CHARS = 40
_MIN_MARKED_CHARS = 15
"""Where the page marks its document."""
_MIN_LINKS = 3
_MAX_SKIP_CHARS = 50
_DOCUMENTS: Final = (
    ("//main | //*[@role='main']", 0.3, True),
    ("//article", 0.5, True),
    ("//div[@id='content' or @id='main' or @id='main-content' or @id='maincontent' or @id='primary']", 0.5, False),
)
"""Where the document is: the path, the least share of the page's text, whether only the document is there."""


def remove_boilerplate(root: Element) -> int:
    """Remove the boilerplate of a page, unless little text would remain. Returns the number of characters removed."""
    page = _Page(root)
    found = list(page.boilerplate())
    removed = sum(page.sizes[element].chars for element in found)
    plain = sum(page.sizes[element].plain for element in found)
    has_document = page.is_exact or plain <= _MAX_TOTAL_SHARE * page.sizes[root].plain
    min_chars = _MIN_MARKED_CHARS if page.is_exact else _MIN_DOCUMENT_CHARS
    if page.sizes[root].chars - removed < min_chars or not has_document:
        return 0
    for element in found:
        replace_with_text(element, " " if element.tag in ("a", "span") else "")
    return removed


class _Size(NamedTuple):
    """Characters of an element, without spaces."""

    chars: int
    in_links: int
    links: int
    has_title: bool
    has_control: bool
    """Whether one can click or type there."""

    @property
    def plain(self) -> int:
        return self.chars - self.in_links

    def is_linked(self, share: float) -> bool:
        return self.in_links >= share * self.chars


class _Place(enum.Enum):
    """Where an element stands."""

    AROUND = enum.auto()
    INSIDE = enum.auto()
    UNKNOWN = enum.auto()
    """The page does not tell where its document is."""


class _Page:
    """The elements of a page with their sizes, and those that hold the document."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self.sizes = _sizes(root)
        self._plain = self.sizes[root].plain
        self._documents, self.is_exact = self._find_documents()
        self._around_documents = _ancestors(self._documents)
        self._has_title = any(self.sizes[document].has_title for document in self._documents)

    def boilerplate(self) -> Iterator[Element]:
        """The outermost elements that are boilerplate."""
        stack = [(self._root, _Place.AROUND if self._documents else _Place.UNKNOWN)]
        while stack:
            element, place = stack.pop()
            if self._is_boilerplate(element, place):
                yield element
                continue
            if element in self._documents:
                place = _Place.INSIDE if self.is_exact else _Place.UNKNOWN
            stack += [(child, place) for child in element]

    def _find_documents(self) -> tuple[set[Element], bool]:
        """The elements that hold most of the page's text, and whether they hold nothing else."""
        for path, share, is_exact in _DOCUMENTS:
            outermost = _outermost(self._root, set(self._root.xpath(path)))
            if sum(self.sizes[element].plain for element in outermost) > share * self._plain:
                return outermost, is_exact
        return set(), False

    def _is_boilerplate(self, element: Element, place: _Place) -> bool:
        if element in self._documents or element in self._around_documents or element is self._root:
            return False
        size = self.sizes[element]
        is_around_document = self.is_exact and place is _Place.AROUND
        is_large = size.plain > max(_SHORT, _MAX_SHARE * self._plain) and not is_around_document
        if not size.chars or is_large or (size.has_title and not self._has_title):
            return False
        if element.tag == "a":
            return size.chars <= _MAX_SKIP_CHARS and _is_skip_link(element)
        return self._is_marked(element, size, place) or (
            place is _Place.AROUND
            and element.tag in _BLOCKS
            and size.links >= _MIN_LINKS
            and size.is_linked(_ALMOST_ALL)
        )

    def _is_marked(self, element: Element, size: _Size, place: _Place) -> bool:
        role = element.get("role") or ""
        names = f"{element.get('class') or ''} {element.get('id') or ''}"
        if role.startswith("doc-") or _NOTES.search(names):
            return False
        kind = _ROLES.get(role) or _TAGS.get(element.tag)
        is_around = place is _Place.AROUND
        if kind == "nav" or (kind == "frame" and is_around):
            return True
        if element.get("aria-hidden") == "true" and (is_around or element.tag == "span"):
            return True
        if element.tag not in _BLOCKS and not kind:
            return False
        words = _words(element, with_id=place is not _Place.INSIDE)
        if words & _PROMPT_WORDS and not words & _CONTENT_WORDS and size.has_control:
            return True
        if words & _FRAME_WORDS and place is not _Place.INSIDE:
            return is_around or size.is_linked(_MOSTLY)
        return bool(words & _LINK_WORDS) and size.links > 0 and self._is_linked_below_titles(element)

    def _is_linked_below_titles(self, element: Element) -> bool:
        """Whether its text is mostly links, apart from titles such as "Related articles"."""
        size = self.sizes[element]
        if size.is_linked(_MOSTLY):
            return True
        titles = sum(self.sizes[each].plain for each in element.iter("h2", "h3", "h4", "h5", "h6"))
        return size.in_links >= _MOSTLY * (size.chars - titles)


def _words(element: Element, *, with_id: bool) -> set[str]:
    """The words of the element's class names. Anchors of sections are ids, too, so few elements' ids are considered."""
    names = (element.get("class") or "").split()
    if with_id and element.tag in _ID_BLOCKS:
        names.append(element.get("id") or "")
    words = {word.lower() for name in names if not _LAYOUT_CLASS.match(name) for word in _WORD.findall(name)}
    return words | {"sidebar"} if any(map(_WIDGET.fullmatch, names)) else words


def _is_skip_link(link: Element) -> bool:
    text = " ".join("".join(link.itertext()).split())
    return (link.get("href") or "").startswith("#") and bool(_SKIP_LINK.match(text))


def _outermost(root: Element, elements: set[Element]) -> set[Element]:
    """Returns the elements that are not within others."""
    outermost: set[Element] = set()
    stack = [root] if elements else []
    while stack:
        element = stack.pop()
        if element in elements:
            outermost.add(element)
        else:
            stack += element
    return outermost


def _ancestors(elements: set[Element]) -> set[Element]:
    ancestors: set[Element] = set()
    for element in elements:
        for ancestor in element.iterancestors():
            if ancestor in ancestors:
                break
            ancestors.add(ancestor)
    return ancestors


def _sizes(root: Element) -> dict[Element, _Size]:
    sizes: dict[Element, _Size] = {}
    for element in reversed(list(root.iter())):
        chars = _chars(element.get("alt") if element.tag == "img" else element.text)
        in_links = links = 0
        has_title, has_control = element.tag == "h1", _is_control(element)
        for child in element:
            inner = sizes[child]
            chars += inner.chars + _chars(child.tail)
            in_links += inner.in_links
            links += inner.links
            has_title = has_title or inner.has_title
            has_control = has_control or inner.has_control
        if element.tag == "a" and element.get("href") is not None:
            in_links, links = chars, 1
        sizes[element] = _Size(chars, in_links, links, has_title, has_control)
    return sizes


def _is_control(element: Element) -> bool:
    if element.tag in _CONTROLS or element.get("role") == "button":
        return True
    names = element.get("class") or "" if element.tag == "a" else ""
    return "btn" in names or "button" in names


def _chars(text: str | None) -> int:
    return sum(map(len, text.split())) if text else 0
