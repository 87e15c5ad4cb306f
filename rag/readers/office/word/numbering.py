"""The labels of a Word document's numbered paragraphs, which are not in its text: `3.`, `1.2`, `b)`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from rag.readers.notation.list_number import format_number
from rag.readers.office.word.xml import W, value
from rag.readers.safe_xml import Element

_PLACEHOLDER = re.compile(r"%([1-9])")
_MAX_LEVELS = 9
_MAX_STYLES = 20


class _Level(NamedTuple):
    start: int
    kind: str
    pattern: str


class Numbering:
    """Counts the numbered paragraphs of a document, which are passed in order."""

    def __init__(self, numbering: Element | None, styles: Element | None) -> None:
        abstract = {} if numbering is None else _by_id(numbering, "abstractNum", "abstractNumId")
        self._lists = {} if numbering is None else _by_id(numbering, "num", "numId")
        self._levels = {name: _levels(element) for name, element in abstract.items()}
        self._styles = {} if styles is None else _by_id(styles, "style", "styleId")
        self._counts: dict[str, list[int | None]] = {}
        self._started: set[str] = set()

    def label(self, paragraph: Element) -> str:
        """The label of the next paragraph; empty if it has none, or a bullet."""
        list_id, level = self._position(paragraph)
        element = self._lists.get(list_id)
        abstract_id = value(element, "abstractNumId") or ""
        levels = self._levels.get(abstract_id, {})
        if element is None or level not in levels:
            return ""
        counts = self._counts.setdefault(abstract_id, [None] * _MAX_LEVELS)
        self._restart(element, list_id, counts)
        previous = counts[level]
        counts[level] = levels[level].start if previous is None else previous + 1
        counts[level + 1 :] = [None] * (_MAX_LEVELS - level - 1)
        return _label(levels, level, counts)

    def _position(self, paragraph: Element) -> tuple[str, int]:
        list_id, level = value(paragraph, "pPr/numPr/numId"), value(paragraph, "pPr/numPr/ilvl")
        style = value(paragraph, "pPr/pStyle")
        for _ in range(_MAX_STYLES):
            if list_id is not None or style is None:
                break
            element = self._styles.get(style)
            list_id, level = value(element, "pPr/numPr/numId"), level or value(element, "pPr/numPr/ilvl")
            style = value(element, "basedOn")
        return list_id or "", int(level) if level and level.isdigit() and int(level) < _MAX_LEVELS else 0

    def _restart(self, element: Element, list_id: str, counts: list[int | None]) -> None:
        """A list may begin again with a number of its own."""
        if list_id in self._started:
            return
        self._started.add(list_id)
        for override in element.findall(f"{W}lvlOverride"):
            level, start = override.get(f"{W}ilvl") or "", value(override, "startOverride") or ""
            if level.isdigit() and start.isdigit() and int(level) < _MAX_LEVELS:
                counts[int(level)] = int(start) - 1


def _by_id(parent: Element, name: str, key: str) -> Mapping[str, Element]:
    return {element.get(W + key) or "": element for element in parent.findall(W + name)}


def _levels(abstract: Element) -> Mapping[int, _Level]:
    levels = {}
    for element in abstract.findall(f"{W}lvl"):
        index, start = element.get(f"{W}ilvl") or "", value(element, "start") or "1"
        if index.isdigit() and int(index) < _MAX_LEVELS and start.isdigit():
            levels[int(index)] = _Level(
                int(start), value(element, "numFmt") or "decimal", value(element, "lvlText") or ""
            )
    return levels


def _label(levels: Mapping[int, _Level], level: int, counts: list[int | None]) -> str:
    if levels[level].kind in ("bullet", "none"):
        return ""

    def number(match: re.Match[str]) -> str:
        index = int(match[1]) - 1
        outer = levels.get(index, levels[level])
        count = counts[index]
        return format_number(outer.start if count is None else count, outer.kind)

    return " ".join(_PLACEHOLDER.sub(number, levels[level].pattern).split())
