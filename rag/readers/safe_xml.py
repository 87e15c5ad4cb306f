"""XML from strangers: no entities, no network, no document type."""

from __future__ import annotations

from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from rag.errors import BrokenFile


def parse_xml(content: bytes) -> Any:
    """The root element; Any, for lxml has no types.

    Raises:
        BrokenFile: not well-formed.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise BrokenFile(f"has XML that is damaged: {str(error)[:200]}") from None
