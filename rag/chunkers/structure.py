"""Splits along a document's structure: headings, paragraphs, list items, tables and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.chunkers.chunker import MAX_CHARS, Span, passage_at, stripped
from rag.chunkers.headers import headers_of
from rag.chunkers.recursive import recursive_spans
from rag.types import Extract, Heading, Passage

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"([ \t]*)(?:[-*+•]|\d{1,9}[.)])(?:[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*$")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A heading, or a block of the text below it."""

    span: Span
    is_heading: bool = False

    @property
    def start(self) -> int:
        return self.span[0]

    @property
    def end(self) -> int:
        return self.span[1]


@dataclass(frozen=True, slots=True)
class StructureChunker:
    """Implements `rag.chunkers.Chunker`. A passage never mixes text of different headings.

    A passage holds as many blocks of a heading as fit; a block that is too large is split as by `RecursiveChunker`. A
    heading without text is kept with the next one: by itself it would rank high in searches, but answer nothing. A
    passage belongs to the last of its headings.
    """

    max_chars: int = 1_024

    def chunk(self, extract: Extract) -> list[Passage]:
        headers = headers_of(extract)
        return [
            passage_at(extract, span, headers, heading_offset=span[1] - 1)
            for span in headers.split_at_records(self._packed(extract.text, blocks(extract.text, extract.headings)))
        ]

    def _packed(self, text: str, text_blocks: Iterator[TextBlock]) -> Iterator[Span]:
        capacity = min(self.max_chars, MAX_CHARS)
        open_span: Span | None = None
        only_headings = True
        for block in text_blocks:
            for part in self._parts(text, block, open_span if only_headings else None):
                fits = open_span is not None and part.end - open_span[0] <= capacity
                if open_span is not None and fits and (only_headings or not block.is_heading):
                    open_span = (open_span[0], part.end)
                    only_headings = only_headings and block.is_heading
                else:
                    if open_span is not None:
                        yield open_span
                    open_span, only_headings = part.span, block.is_heading
        if open_span is not None:
            yield open_span

    def _parts(self, text: str, block: TextBlock, heading: Span | None) -> Iterator[TextBlock]:
        """The block, or its parts if it is too large; the first part leaves room for its `heading`."""
        capacity = min(self.max_chars, MAX_CHARS)
        if block.end - block.start <= capacity:
            yield block
            return
        room = capacity - (block.start - heading[0]) if heading else capacity
        for first, last in recursive_spans(text[block.start : block.end], room if room > capacity // 2 else capacity):
            span = stripped(text, (block.start + first, block.start + last))
            if span[0] < span[1]:
                yield TextBlock(span, block.is_heading)


def blocks(text: str, headings: tuple[Heading, ...] = ()) -> Iterator[TextBlock]:
    """The blocks in order, without surrounding whitespace: headings, code blocks, list items, runs of lines.

    A table is a run of lines. Continuation lines and sublists belong to their list item.
    """
    heading_starts = {heading.start for heading in headings}
    scanner = _BlockScanner()
    starts: list[tuple[int, bool]] = []
    offset = 0
    for line in _lines(text, sorted(heading_starts)):
        if offset in heading_starts:
            scanner = _BlockScanner(after_heading=True)
            starts.append((offset, True))
        elif scanner.opens_block(line):
            starts.append((offset, False))
        offset += len(line)
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0, False))
    ends = [start for start, _ in starts[1:]] + [len(text)]
    for (start, is_heading), end in zip(starts, ends, strict=True):
        span = stripped(text, (start, end))
        if span[0] < span[1]:
            yield TextBlock(span, is_heading)


def _lines(text: str, cuts: list[int]) -> Iterator[str]:
    """The lines with their newlines. A line is split where a heading starts in it, as can happen in PDF text."""
    start = 0
    for cut in [*cuts, len(text)]:
        part = text[start:cut]
        if part:
            yield from (line for line in re.split(r"(?<=\n)", part) if line)
        start = cut


class _BlockScanner:
    """Finds the lines that start a block, between two headings."""

    def __init__(self, *, after_heading: bool = False) -> None:
        self._fence = ""
        self._after_blank = True
        self._after_heading = after_heading
        self._item_indent: int | None = None
        """Indentation of the current list item; None outside of lists."""

    def opens_block(self, line: str) -> bool:
        if self._fence:
            self._close_fence(line)
            return False
        if not line.strip():
            self._after_blank = True
            return False
        after_blank, self._after_blank = self._after_blank, False
        if self._after_heading and _UNDERLINE.match(line):
            return False
        opens = self._opens(line, after_blank or self._after_heading)
        self._after_heading = False
        return opens

    def _opens(self, line: str, after_gap: bool) -> bool:
        indent = len(line) - len(line.lstrip(" \t"))
        if self._item_indent is not None and indent > self._item_indent:
            self._open_fence(line.lstrip(" \t"))
            return False
        if self._open_fence(line):
            self._item_indent = None
            return True
        item = _ITEM.match(line)
        if item:
            self._item_indent = len(item[1])
            return True
        if after_gap:
            self._item_indent = None
        return after_gap

    def _open_fence(self, line: str) -> bool:
        fence = _FENCE.match(line)
        self._fence = fence[1] if fence else ""
        return fence is not None

    def _close_fence(self, line: str) -> None:
        mark = line.strip()
        if mark.startswith(self._fence) and not mark.strip(self._fence[0]):
            self._fence = ""
            self._after_blank = True
