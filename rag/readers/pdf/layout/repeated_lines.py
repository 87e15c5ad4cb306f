"""Removes headers and footers after their first occurrence, and page numbers.

A header is a line at the top of a page that most pages, or most odd or even pages, or several successive pages have at
the same height; a footer likewise. Headers that differ only in the page's number count as the same.
"""

from __future__ import annotations

import heapq
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from rag.readers.pdf.layout.page_lines import PageLine

_MIN_PAGES = 3
_MIN_SUCCESSIVE_PAGES = 5
"""Of a header that only some chapter has."""
_MAX_LINES = 4
"""Lines at each end of a page that can be headers or footers."""
_MAX_CHARS = 200
_MAX_SEGMENTS = 3
"""A line with more is the header of a table."""
_SAME_HEIGHT = 9.0
"""In points."""
_SAME_ROW = 4.0
_MARGIN = 0.15
"""The share of the page's height, at each end, for headers without the page's number."""
_NUMBER = re.compile(r"(?<![\d.,])\d{1,5}(?![\d,]|\.\d)")
_ROMAN = re.compile(r"(x{0,3})(ix|iv|v?i{0,3})", re.IGNORECASE)
_PAGE_WORD = r"(?:pages?|p|pg|seite|s|página|pág|pagina|sida|side|strona|strana|стр|страница|sayfa)"
_OF = r"(?:of|von|de|di|sur|av|van|af|z|из|/)"
_ONLY_NUMBER = re.compile(
    rf"\W*(?:{_PAGE_WORD}\b)?\W*#\W*(?:{_OF}?\W*\d+)?\W*"
    r"|\W*第?\s*#\s*[页頁ページ쪽]*\W*(?:共?\s*\d+\s*[页頁ページ쪽]*)?\W*",
    re.IGNORECASE,
)
_SET_APART = re.compile(rf"(?:[|·•–—/:-]|\b{_PAGE_WORD}\W)\s*#|#\s*[|·•–—/:-]", re.IGNORECASE)
_MIN_WORDS = 2
_WHOLE = -1
"""In place of the index of a segment: the whole line."""


class PageLines(NamedTuple):
    width: float
    """`width` and `height` of the page, in points."""
    height: float
    lines: list[PageLine]


class _Place(NamedTuple):
    """Indexes of a page, one of its lines, and one of the line's segments."""

    page: int
    line: int
    segment: int = _WHOLE


class _Pattern(NamedTuple):
    """What a header is on each page."""

    text: str
    """With # for the number of the page."""
    offset: int | None
    """The difference between that number and the index of the page; None if there is no such number."""
    is_header: bool

    @property
    def is_page_number(self) -> bool:
        return self.offset is not None and _ONLY_NUMBER.fullmatch(self.text) is not None


class _EdgeLine(NamedTuple):
    place: _Place
    distance: float
    """From the top of the page for a header, from the bottom for a footer."""
    is_in_margin: bool


def without_repetitions(pages: Sequence[PageLines]) -> list[PageLines]:
    """The pages without repeated headers and footers."""
    if len(pages) < _MIN_PAGES:
        return list(pages)
    edges = [_edge(index, page, is_header=is_header) for index, page in enumerate(pages) for is_header in (True, False)]
    repeated = _repeated(pages, edges)
    removed: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    """By page and line: the segments to remove."""
    for edge in edges:
        for place in _outermost(edge, repeated):
            if not repeated[place]:
                removed[place.page][place.line].add(place.segment)
    return [
        page._replace(lines=list(_remaining(page.lines, removed[index]))) if index in removed else page
        for index, page in enumerate(pages)
    ]


def _remaining(lines: Sequence[PageLine], removed: Mapping[int, AbstractSet[int]]) -> Iterator[PageLine]:
    for number, line in enumerate(lines):
        parts = removed.get(number, ())
        if not parts:
            yield line
        elif _WHOLE not in parts:
            segments = [segment for i, segment in enumerate(line.segments) if i not in parts]
            if segments:
                yield PageLine.of(segments)


def _edge(index: int, page: PageLines, *, is_header: bool) -> list[_EdgeLine]:
    """The first or last lines of a page, from its edge, and their segments, which can be the page's number."""
    middles = [(line.box.middle, number) for number, line in enumerate(page.lines) if line.segments and line.text]
    distances = [(page.height - middle, number) for middle, number in middles] if is_header else middles
    edge = [
        _EdgeLine(_Place(index, number), distance, distance <= _MARGIN * page.height)
        for distance, number in heapq.nsmallest(_MAX_LINES, distances)
    ]
    segments = [
        line._replace(place=line.place._replace(segment=segment))
        for line in edge
        if 1 < (count := len(page.lines[line.place.line].segments)) <= _MAX_SEGMENTS
        for segment in range(count)
    ]
    return edge + segments


def _repeated(pages: Sequence[PageLines], edges: Sequence[Sequence[_EdgeLine]]) -> dict[_Place, bool]:
    """The lines that are headers or footers; True for those to keep: the first of each."""
    found: dict[_Pattern, list[_EdgeLine]] = defaultdict(list)
    for number, edge in enumerate(edges):
        for line in edge:
            for pattern in _patterns(pages[line.place.page].lines, line.place, is_header=number % 2 == 0):
                if line.is_in_margin or pattern.offset is not None:
                    found[pattern].append(line)
    repeated: dict[_Place, bool] = {}
    for pattern, lines in found.items():
        middle = statistics.median(line.distance for line in lines)
        is_counted = pattern.offset is not None  # the number is proof enough: some footers follow the end of the text
        places = sorted(line.place for line in lines if is_counted or abs(line.distance - middle) <= _SAME_HEIGHT)
        if _is_repeated(pattern, {place.page for place in places}, len(pages)):
            for position, place in enumerate(places):
                is_kept = position == 0 and not pattern.is_page_number
                repeated[place] = repeated.get(place, True) and is_kept
    return repeated


def _patterns(lines: Sequence[PageLine], place: _Place, *, is_header: bool) -> Iterator[_Pattern]:
    """The line itself, and the line with each of its numbers taken for that of the page; a segment as a number only."""
    line = lines[place.line]
    text = " ".join((line.text if place.segment == _WHOLE else line.segments[place.segment].text).split())
    if len(text) > _MAX_CHARS or len(line.segments) > _MAX_SEGMENTS:
        return
    if place.segment == _WHOLE:
        yield _Pattern(text, None, is_header)
    for match in _NUMBER.finditer(text):
        masked = f"{text[: match.start()]}#{text[match.end() :]}"
        is_cell = any(segment.text.strip() == match[0] for segment in line.segments)
        if _ONLY_NUMBER.fullmatch(masked) or (place.segment == _WHOLE and (is_cell or _can_be_page_number(masked))):
            yield _Pattern(masked, int(match[0]) - place.page, is_header)
    if number := _roman(text):
        yield _Pattern("#", number - place.page, is_header)


def _can_be_page_number(masked: str) -> bool:
    """False for `Step #`, which can be the title of a slide."""
    words = masked.replace("#", "").split()
    return bool(_SET_APART.search(masked)) or sum(word.isalpha() for word in words) >= _MIN_WORDS


def _roman(text: str) -> int:
    """0 if it is not a Roman number up to 39."""
    match = _ROMAN.fullmatch(text)
    if not match:
        return 0
    ones = {"": 0, "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}
    return 10 * len(match[1]) + ones[match[2].lower()]


def _is_repeated(pattern: _Pattern, on_pages: set[int], page_count: int) -> bool:
    if len(on_pages) < _MIN_PAGES:
        return False
    if pattern.offset is not None:
        return True
    odd = {page for page in on_pages if page % 2}
    odd_count = page_count // 2
    return (
        2 * len(on_pages) > page_count
        or (len(odd) >= _MIN_PAGES and 2 * len(odd) > odd_count)
        or (len(on_pages - odd) >= _MIN_PAGES and 2 * len(on_pages - odd) > page_count - odd_count)
        or any(_are_successive(pages, step) for pages, step in ((on_pages, 1), (odd, 2), (on_pages - odd, 2)))
    )


def _are_successive(pages: set[int], step: int) -> bool:
    return len(pages) >= _MIN_SUCCESSIVE_PAGES and max(pages) - min(pages) == step * (len(pages) - 1)


def _outermost(edge: Sequence[_EdgeLine], repeated: dict[_Place, bool]) -> Iterator[_Place]:
    """The headers of a page that have nothing but headers, and what stands beside them, towards the page's edge."""
    headers = [line for line in edge if line.place in repeated]
    others = (line.distance for line in edge if line.place not in repeated)
    rows = [header.distance for header in headers]
    below = (other for other in others if all(abs(other - row) > _SAME_ROW for row in rows))
    limit = min(below, default=float("inf"))
    return (header.place for header in headers if header.distance <= limit)
