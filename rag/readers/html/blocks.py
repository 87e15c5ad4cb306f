"""Converts a tree of HTML elements to Markdown blocks, in one pass.

General converters such as html-to-markdown lose or add text here: they cut off deeply nested pages without an error,
leave cells below a row span empty, repeat column spans without limit, and turn layout tables into data tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.readers.extract.text_builder import DocumentBlock
from rag.readers.html.cells import cell_rows
from rag.readers.html.code import code_language, code_text
from rag.readers.notation.list_number import format_number
from rag.readers.safe_xml import Element
from rag.readers.tables.table import table_text
from rag.readers.tables.table_header import joined_names

_MARKS = {
    **dict.fromkeys(("b", "strong"), "**"),
    **dict.fromkeys(("i", "em"), "*"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "`"),
    **dict.fromkeys(("s", "del", "strike"), "~~"),
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset(
    (
        *("address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog", "div", "dt"),
        *("fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "html", "legend", "li", "main"),
        *("nav", "noframes", "option", "p", "search", "section", "summary"),
        *("tbody", "td", "tfoot", "th", "thead", "tr"),
    )
)
BLOCK_TAGS = _PARAGRAPHS.union(
    _HEADINGS, ("ul", "ol", "menu", "dir", "dl", "pre", "listing", "xmp", "blockquote", "table", "hr", "br")
)
"""Elements that begin and end a line of text."""
_APART = frozenset(("label", "button"))
"""Elements within a line that do not run into each other."""
LIST_LABEL = "data-label"
"""The attribute of a list item whose label is not just its number."""
_NUMBER_TYPES = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_NOT_IN_LINE = ("|", "```", ">")
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_SPACES = re.compile(" {2,}")
_AROUND_BREAK = re.compile(r" *\n *")
_BACKTICKS = re.compile(r"`+")


def to_blocks(element: Element) -> list[DocumentBlock]:
    """The content of an element. Raises RecursionError if it is nested too deeply."""
    writer = _Writer()
    writer.element(element)
    writer.end_paragraph()
    return writer.blocks


class _Writer:
    """Collects the blocks of an element, and the inline text of the current paragraph."""

    def __init__(self) -> None:
        self.blocks: list[DocumentBlock] = []
        self._inline: list[str] = []

    def end_paragraph(self) -> None:
        text = _tidy("".join(self._inline))
        self._inline.clear()
        if text:
            self.blocks.append(DocumentBlock(text))

    def element(self, element: Element) -> None:
        tag = element.tag
        if tag in _PARAGRAPHS:
            self.end_paragraph()
            self._children(element)
            self.end_paragraph()
        elif tag == "br":
            self._inline.append("\n")
        elif mark := _MARKS.get(tag):
            self._marked(element, mark)
        elif tag in _APART:
            self._inline.append(" ")
            self._children(element)
            self._inline.append(" ")
        elif special := _SPECIAL.get(tag):
            self.end_paragraph()
            self.blocks += special(element)
        else:
            self._children(element)

    def _children(self, element: Element) -> None:
        if element.text:
            self._inline.append(_SPACE.sub(" ", element.text))
        for child in element:
            self.element(child)
            if child.tail:
                self._inline.append(_SPACE.sub(" ", child.tail))

    def _marked(self, element: Element, mark: str) -> None:
        """Emphasis or code; without marks if the element contains whole paragraphs."""
        outer, self._inline = self._inline, []
        before = len(self.blocks)
        self._children(element)
        inner, self._inline = self._inline, outer
        if len(self.blocks) > before:
            # The text before the element comes before the blocks of the element.
            if opening := _tidy("".join(outer)):
                self.blocks.insert(before, DocumentBlock(opening))
            self._inline = inner
            return
        text = "".join(inner)
        words = text.strip()
        if not words:
            self._inline.append(text)
            return
        start = text.index(words)
        self._inline += [text[:start], mark, words, mark, text[start + len(words) :]]


def _heading(element: Element) -> list[DocumentBlock]:
    text = " ".join(flat_text(element).split())
    level = _HEADINGS[element.tag]
    words = " ".join("".join(element.itertext()).split()) if text else ""
    return [DocumentBlock(f"{'#' * level} {text}", level, words)] if text else []


def flat_text(element: Element) -> str:
    """The content of an element in one line, for headings and table cells."""
    writer = _Writer()
    writer._children(element)
    writer.end_paragraph()
    return " ".join(block.text.replace("\n", " ") for block in writer.blocks)


def _list(element: Element) -> list[DocumentBlock]:
    lines: list[str] = []
    blocks: list[DocumentBlock] = []
    step = -1 if "reversed" in element.attrib else 1
    number = _number(element, "start", 1 if step > 0 else sum(item.tag == "li" for item in element)) - step
    kind = _NUMBER_TYPES.get(element.get("type") or "", "decimal")
    for item in element:
        inner = to_blocks(item)
        number = _number(item, "value", number + step) if item.tag == "li" else number
        if any(block.level for block in inner):  # the list is page layout
            blocks += [*_lines_block(lines), *inner]
            lines = []
        elif inner:
            mark = f"{item.get(LIST_LABEL) or f'{format_number(number, kind)}.'} " if element.tag == "ol" else "- "
            lines.append(mark + "\n".join(block.text for block in inner).replace("\n", "\n" + " " * len(mark)))
    return [*blocks, *_lines_block(lines)]


def _number(element: Element, name: str, default: int) -> int:
    value = (element.get(name) or "").strip()
    return int(value) if re.fullmatch(r"-?\d{1,9}", value) else default


def _definitions(element: Element) -> list[DocumentBlock]:
    """Each definition in one line with its terms, `term: definition`; further paragraphs follow."""
    blocks: list[DocumentBlock] = []
    lines: list[str] = []
    for terms, definition in _definition_pairs(element):
        label = ", ".join(filter(None, map(flat_text, terms))).removesuffix(":")
        inner = to_blocks(definition) if definition is not None else []
        if inner and not inner[0].level and not inner[0].text.startswith(_NOT_IN_LINE):
            lines.append(f"{label}: {inner[0].text}" if label else inner[0].text)
            inner = inner[1:]
        elif label:
            lines.append(label)
        if inner:
            blocks += [*_lines_block(lines), *inner]
            lines = []
    return [*blocks, *_lines_block(lines)]


def _definition_pairs(element: Element) -> Iterator[tuple[list[Element], Element | None]]:
    """Each definition with its terms; a further definition of the same terms has them, too."""
    terms: list[Element] = []
    is_complete = True
    for part in _definition_parts(element):
        if part.tag != "dt":
            yield terms, part
        elif is_complete:
            terms = [part]
        else:
            terms.append(part)
        is_complete = part.tag != "dt"
    if not is_complete:
        yield terms, None


def _definition_parts(element: Element) -> Iterator[Element]:
    """The terms and definitions of a list, which may be grouped in <div> elements."""
    for part in element:
        if part.tag == "div":
            yield from _definition_parts(part)
        else:
            yield part


def _lines_block(lines: list[str]) -> list[DocumentBlock]:
    return [DocumentBlock("\n".join(lines))] if lines else []


def _quote(element: Element) -> list[DocumentBlock]:
    writer = _Writer()
    writer._children(element)
    writer.end_paragraph()
    if any(block.level for block in writer.blocks) or not writer.blocks:
        return writer.blocks
    text = "\n\n".join(block.text for block in writer.blocks)
    return [DocumentBlock("\n".join(f"> {line}".rstrip() for line in text.split("\n")))]


def _preformatted(element: Element) -> list[DocumentBlock]:
    text = code_text(element)
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [DocumentBlock(f"{fence}{code_language(element)}\n{text}\n{fence}")] if text.strip() else []


def _table(element: Element) -> list[DocumentBlock]:
    table = cell_rows(element)
    caption = [block for part in element if part.tag == "caption" for block in to_blocks(part)]
    if table is None:  # the table is page layout
        parts = (part for part in element if part.tag != "caption")
        return [*caption, *(block for part in parts for block in to_blocks(part))]
    if table.title is not None:
        caption += to_blocks(table.title)
    rows = [[flat_text(cell) if cell is not None else "" for cell in row] for row in table.rows]
    if table.header_rows:
        rows = [_joined_names(rows[: table.header_rows]), *rows[table.header_rows :]]
    has_labels = any(sum(map(bool, row)) == 1 for row in rows)  # a row that names the rows below has no empty cells
    keep_empty = table.is_complete and not has_labels
    return [*caption, DocumentBlock(table_text(rows, has_header=table.header_rows > 0 or None, keep_empty=keep_empty))]


def _joined_names(rows: list[list[str]]) -> list[str]:
    """The names of the columns, without emphasis."""
    return joined_names([[cell.replace("**", "") for cell in row] for row in rows])


def _rule(element: Element) -> list[DocumentBlock]:
    return [DocumentBlock("---")]


_SPECIAL = {
    **dict.fromkeys(_HEADINGS, _heading),
    **dict.fromkeys(("ul", "ol", "menu", "dir"), _list),
    **dict.fromkeys(("pre", "listing", "xmp"), _preformatted),
    "dl": _definitions,
    "blockquote": _quote,
    "table": _table,
    "hr": _rule,
}


def _tidy(text: str) -> str:
    if "  " in text:
        text = _SPACES.sub(" ", text)
    return (_AROUND_BREAK.sub("\n", text) if "\n" in text else text).strip()
