"""Labels and values that stand side by side in elements of their own, such as `<div class="label">Weight</div>`."""

from __future__ import annotations

import re

from lxml import etree  # type: ignore[import-untyped]

from rag.readers.safe_xml import Element

_PAIRED_TAGS = frozenset(("div", "p", "span", "strong", "b", "label"))
_LABEL = frozenset(("label", "key", "name", "term", "field", "property", "attribute", "attr", "title", "caption", "th"))
_VALUE = frozenset(("value", "val", "data", "content", "detail", "definition", "desc", "description", "td"))
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_MAX_LABEL_CHARS = 80
_ENDS_WITH_SIGN = re.compile(r"[^\w)\]]\s*\Z")


def pair_labels(root: Element, blocks: frozenset[str]) -> None:
    """Put each label before its value in one line: `Weight: 12 kg`.

    Args:
        blocks: Tags of the elements that begin and end a line of text.
    """
    for label in [each for each in root.iter(*_PAIRED_TAGS) if _words(each) & _LABEL]:
        value, parent = label.getnext(), label.getparent()
        if value is None or parent is None or not _is_pair(label, value, blocks):
            continue
        line = etree.Element("div")
        label.addprevious(line)
        line.tail, value.tail = value.tail, None
        for part in (label, value):
            part.tag = "span"
            line.append(part)
        label.tail = " " if _ENDS_WITH_SIGN.search("".join(label.itertext())) else ": "


def _is_pair(label: Element, value: Element, blocks: frozenset[str]) -> bool:
    if value.tag not in _PAIRED_TAGS or not _words(value) & _VALUE or (label.tail or "").strip():
        return False
    if label.tag == "span" and value.tag == "span" and label.tail:  # they are apart already
        return False
    if any(part.tag in blocks for each in (label, value) for part in each.iter() if part is not each):
        return False
    text = " ".join("".join(label.itertext()).split())
    return 0 < len(text) <= _MAX_LABEL_CHARS and bool("".join(value.itertext()).strip())


def _words(element: Element) -> set[str]:
    return {word.lower() for word in _WORD.findall(element.get("class") or "")}
