"""Splits the text around a hit into units that can be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rag.chunkers.sentences import sentence_spans
from rag.retrieve.quoting.column_names import column_names
from rag.retrieve.quoting.front_matter import front_matter_end, front_matter_units
from rag.retrieve.quoting.inline_text import inline_text, without_tags
from rag.retrieve.quoting.record_units import record_units
from rag.retrieve.quoting.table_rows import TableRow, named_row, rows_and_prose
from rag.retrieve.quoting.unit import Unit, UnitKind
from rag.retrieve.quoting.window import TextWindow
from rag.retrieve.record_text import is_record_text

MAX_UNIT_CHARS = 700
_MIN_CHARS = 12
_MIN_CJK_CHARS = 5
_MAX_LEAD_CHARS = 160
_MAX_LIST_CHARS = 360
"""A list that is not longer is quoted as a whole, if its items are short."""
_MAX_SHORT_ITEM_CHARS = 70
_MAX_CODE_LINES = 8
_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
_ITEM_MARK = re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff]")
_LETTER = re.compile(r"[^\W\d_]")
_CLOSED = re.compile(r"[.!?…。！？:;][\"'”’)\]`*]*$")
_RECORD = re.compile(r"[^:;\n]{1,80}: [^;\n]+; [^:;\n]{1,80}: ")
"""A row of a table that is written with its column names: `City: Berlin; Inhabitants: 3,700,000`."""
_MIN_LINES = 3
_MAX_LINE_SENTENCE = 200
"""A longer sentence of several lines is no sentence: they are lines of a log, or of a table drawn with spaces."""
_MIN_FACT_WORDS = 3
_PRONOUN = re.compile(
    r"(?:it|its|this|that|these|those|they|their|he|his|she|her|such|both|however|therefore|thus|instead|otherwise|also"
    r"|then|so|but|and)\b",
    re.IGNORECASE,
)
"""Words at the beginning of a sentence that point to the one before it."""


def units_of(window: TextWindow, heading: str, filename: str = "") -> list[Unit]:
    """The units of which at least half lies in the window's passage, in their order.

    Args:
        heading: The title, below that of the document, that the window's text begins under; empty if there is none.
        filename: Of the document; tells whether it is JSON, or a PDF, whose tables have rows without outer borders.
    """
    if is_record_text(filename):
        found = record_units(window)
    else:
        first = front_matter_end(window, filename)
        found = [*front_matter_units(window.text[:first])] if first else []
        found += _Splitter(window, heading, has_open_rows=filename.lower().endswith(".pdf"), first=first).units()
    return [unit for unit in found if _lies_in(unit, window.passage) and _is_quotable(unit)]


def _lies_in(unit: Unit, passage: tuple[int, int]) -> bool:
    shared = min(unit.end, passage[1]) - max(unit.start, passage[0])
    return shared * 2 >= unit.end - unit.start


def _is_quotable(unit: Unit) -> bool:
    text = unit.text
    if len(text) > MAX_UNIT_CHARS or not _LETTER.search(text):
        return False
    return len(text) >= _MIN_CHARS or len(_CJK.findall(text)) >= _MIN_CJK_CHARS or unit.kind in ("code", "field")


@dataclass(slots=True)
class _List:
    """A list that is being read."""

    start: int
    lead: str
    items: list[Unit] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)


class _Splitter:
    """Walks through the blocks of a text, as Markdown; plain text is read as Markdown without markup."""

    def __init__(self, window: TextWindow, heading: str, *, has_open_rows: bool, first: int = 0) -> None:
        self._window = window
        self._first = first
        """Where the text begins that is to be split: after the front matter."""
        self._has_open_rows = has_open_rows
        self._heading = heading
        self._lead = ""
        """A line that introduces the next block: it ends with a colon."""
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", window.text)), len(window.text)]
        self._columns: list[str] = []
        self._header_rows: list[list[str]] = []
        """The header rows of the table that is being read; empty below its first row with values."""
        self._list: _List | None = None
        self._units: list[Unit] = []

    def units(self) -> list[Unit]:
        tokens = _BLOCKS.parse(self._window.text)
        depth = 0
        for position, token in enumerate(tokens):
            if token.type in ("bullet_list_open", "ordered_list_open"):
                depth += 1
                if depth == 1:
                    self._list = _List(len(self._units), self._lead or self._heading)
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                depth -= 1
                if depth == 0:
                    self._end_list()
            else:
                self._read(tokens, position, in_list=depth > 0)
        return self._units

    def _read(self, tokens: Sequence[Token], position: int, *, in_list: bool) -> None:
        token = tokens[position]
        if token.type == "heading_open":
            title = inline_text(without_tags(tokens[position + 1].content)).text
            self._heading, self._lead = "" if token.tag == "h1" else title, ""
        elif token.type == "paragraph_open":
            span = self._span(token)
            if span[0] < self._first:
                return
            self._read_item(span) if in_list else self._read_paragraph(span)
        elif token.type in ("fence", "code_block"):
            self._read_code(token)
        elif token.type == "thead_open":
            self._header_rows = [_cells(tokens, position, "thead_close")]
            self._columns = self._header_rows[0]
        elif token.type == "tr_open" and not _in_header(tokens, position):
            self._read_row(token, _cells(tokens, position, "tr_close"))
        elif token.type == "html_block":
            self._read_paragraph(self._span(token))

    def _span(self, token: Token) -> tuple[int, int]:
        """The token's lines, as positions in the window's text."""
        first, last = token.map or (0, 0)
        return self._line_starts[first], self._line_starts[last]

    def _read_paragraph(self, span: tuple[int, int]) -> None:
        raw = self._window.text[span[0] : span[1]]
        parts = rows_and_prose(raw, has_open_rows=self._has_open_rows)
        for part in parts:
            if isinstance(part, TableRow):
                self._add_row(span[0] + part.start, span[0] + part.end, part.text)
            else:
                self._read_prose(span[0] + part.start, raw[part.start : part.end], beside_rows=len(parts) > 1)

    def _read_prose(self, offset: int, raw: str, *, beside_rows: bool) -> None:
        """Add the sentences of a text. Beside the rows of a table, one that is not closed is a label."""
        before = ""
        for start, end, is_line in _spans(raw):
            sentence = inline_text(without_tags(raw[start:end]))
            is_label = beside_rows and not _CLOSED.search(sentence.text)
            if not sentence.is_navigation and not is_label and not self._is_cut(offset + start, offset + end):
                self._add_sentence(offset + start, offset + end, sentence.text, before, is_line=is_line)
            before = sentence.text
        self._lead = before.rstrip(":：") if before.endswith((":", "：")) and len(before) <= _MAX_LEAD_CHARS else ""

    def _add_sentence(self, start: int, end: int, text: str, before: str, *, is_line: bool) -> None:
        if text.endswith(("?", "？", ":", "：")) or (
            not _CLOSED.search(text) and len(text) < 40 and not _is_fact(text)
        ):
            return
        whole = text
        if before and _PRONOUN.match(text) and len(before) + len(text) <= MAX_UNIT_CHARS // 2:
            whole = f"{before} {text}"
        offset = self._window.start
        kind: UnitKind = "row" if is_line else "sentence"
        self._units.append(Unit(kind, whole, offset + start, offset + end, text))

    def _is_cut(self, start: int, end: int) -> bool:
        """Whether a sentence at the edge of the window may continue beyond it."""
        window = self._window
        text = window.text[start:end].rstrip()
        starts_cut = not window.text[:start].strip() and not window.starts_document and not _begins(text)
        return starts_cut or (not window.text[end:].strip() and not window.ends_document and not _CLOSED.search(text))

    def _read_item(self, span: tuple[int, int]) -> None:
        raw = self._window.text[span[0] : span[1]]
        content = inline_text(without_tags(_ITEM_MARK.sub("", raw, count=1)))
        if content.is_navigation or not content.text:
            return
        listed = self._list
        lead = listed.lead if listed else self._heading
        offset = self._window.start
        start, end = offset + span[0], offset + span[0] + len(raw.rstrip())
        text = content.text if _is_sentence(content.text) or not lead else f"{lead}: {content.text}"
        unit = Unit("row" if _RECORD.match(content.text) else "item", text, start, end, text)
        if listed is None:
            self._units.append(unit)
        else:
            listed.items.append(unit)
            listed.plain.append(content.text)

    def _end_list(self) -> None:
        listed, self._list, self._lead = self._list, None, ""
        if listed is None or not listed.items:
            return
        whole = f"{listed.lead}: {'; '.join(text.rstrip(';,.') for text in listed.plain)}"
        is_short = all(len(text) <= _MAX_SHORT_ITEM_CHARS and not _is_sentence(text) for text in listed.plain)
        has_rows = any(unit.kind == "row" for unit in listed.items)
        if len(listed.items) > 1 and is_short and not has_rows and listed.lead and len(whole) <= _MAX_LIST_CHARS:
            self._units.append(Unit("item", whole, listed.items[0].start, listed.items[-1].end, whole))
        else:
            self._units += listed.items

    def _read_code(self, token: Token) -> None:
        lines = [line for line in token.content.rstrip("\n").split("\n") if line.strip()]
        if not lines:
            return
        prefix = self._lead or self._heading
        start, end = self._span(token)
        self._lead = ""
        if len(lines) == 1:
            text = f"`{lines[0].strip()}`"
            text = f"{prefix}: {text}" if prefix else text
        elif len(lines) <= _MAX_CODE_LINES:
            language = token.info.strip().split(" ")[0] if token.type == "fence" else ""
            text = f"{prefix + ':' if prefix else ''}\n```{language}\n{token.content.rstrip()}\n```".lstrip("\n")
        else:
            return
        key = " ".join([prefix, *(" ".join(line.split()) for line in lines)]).strip()
        offset = self._window.start
        self._units.append(Unit("code", text, offset + start, offset + end, key))

    def _read_row(self, token: Token, cells: list[str]) -> None:
        if self._header_rows and not cells[0] and any(cells):
            self._header_rows.append(cells)
            self._columns = column_names(self._header_rows)
            return
        self._header_rows = []
        start, end = self._span(token)
        self._add_row(start, end, named_row(self._columns, cells))

    def _add_row(self, start: int, end: int, text: str) -> None:
        offset = self._window.start
        if text:
            self._units.append(Unit("row", text, offset + start, offset + end, text))


def _cells(tokens: Sequence[Token], position: int, closing: str) -> list[str]:
    """The contents of a row's cells."""
    cells = []
    for token in tokens[position + 1 :]:
        if token.type == closing:
            break
        if token.type == "inline":
            cells.append(inline_text(without_tags(token.content)).text)
    return cells


def _in_header(tokens: Sequence[Token], position: int) -> bool:
    return position > 0 and tokens[position - 1].type == "thead_open"


def _is_sentence(text: str) -> bool:
    return bool(_CLOSED.search(text)) and len(text.split()) >= 6


def _begins(text: str) -> bool:
    """Whether a text looks like the beginning of a sentence."""
    first = text.lstrip("\"'“‘([*_`")[:1]
    return not first.islower()


def _spans(text: str) -> Iterator[tuple[int, int, bool]]:
    """The sentences; of what is no prose, such as a log, the lines. Each with whether it is such a line."""
    for start, end in sentence_spans(text):
        lines = text[start:end].splitlines(keepends=True)
        if len(lines) < _MIN_LINES or end - start <= _MAX_LINE_SENTENCE:
            yield start, end, False
            continue
        for line in lines:
            yield start, start + len(line), True
            start += len(line)


def _is_fact(text: str) -> bool:
    """Whether a short line without a full stop says more than a title: `Door code is 8841`."""
    return len(text.split()) >= _MIN_FACT_WORDS and any(map(str.isdigit, text))
