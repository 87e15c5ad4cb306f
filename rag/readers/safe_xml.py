"""Parses XML from untrusted files: without entities, network access or document types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from lxml import etree  # type: ignore[import-untyped]

from rag.errors import BrokenFile


class Element(Protocol):
    """The part of lxml's `_Element` that the readers use; lxml has no types of its own."""

    tag: str
    text: str | None
    tail: str | None

    @property
    def attrib(self) -> Mapping[str, str]: ...
    def get(self, name: str) -> str | None: ...
    def find(self, path: str) -> Element | None: ...
    def findall(self, path: str) -> Sequence[Element]: ...
    def findtext(self, path: str) -> str | None: ...
    def iter(self, tag: object) -> Iterator[Element]: ...
    def itertext(self) -> Iterator[str]: ...
    def xpath(self, path: str) -> Sequence[Element]: ...
    def getparent(self) -> Element | None: ...
    def getprevious(self) -> Element | None: ...
    def remove(self, child: Element) -> None: ...
    def clear(self) -> None: ...
    def __iter__(self) -> Iterator[Element]: ...


def parse_xml(content: bytes) -> Element:
    """The root element.

    Raises:
        BrokenFile: the XML is not well-formed.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False)
    try:
        root: Element = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise BrokenFile(f"has XML that is damaged: {str(error)[:200]}") from None
    return root
