"""The front matter of a Markdown document, `author: Ada` line by line, as units of which few answer a question.

It mostly says what the document is about, as the question does: of all text it would be the most similar to a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.keywords import folded, is_stop_word
from rag.retrieve.quoting.unit import Unit
from rag.retrieve.quoting.window import TextWindow

_SUFFIXES = (".md", ".markdown", ".mdx")
_FIELD = re.compile(r"(?P<key>[^\W\d][\w.\[\] -]{0,59}): (?P<value>\S.*)")
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_ABOUT = frozenset(
    (
        *("title", "subtitle", "description", "summary", "excerpt", "abstract", "tags", "tag", "keywords", "topics"),
        *("category", "categories", "slug", "id", "permalink", "url", "alias", "aliases", "layout", "label", "image"),
    )
)
"""Words of keys whose values name or describe the document."""
_SAME_START = 4
"""Letters: `review` and `reviewed` are the same word here."""


def front_matter_end(window: TextWindow, filename: str) -> int:
    """Where the front matter ends in a window's text; 0 if it has none."""
    if window.start != 0 or window.header_chars or not filename.lower().endswith(_SUFFIXES):
        return 0
    block = window.text.partition("\n\n")[0]
    lines = block.split("\n")
    if not all(map(_FIELD.fullmatch, lines)) or (len(lines) == 1 and block.rstrip().endswith((".", "!", "?"))):
        return 0
    return len(block)


def front_matter_units(text: str) -> Iterator[Unit]:
    """A unit for each line of a front matter that begins the document."""
    start = 0
    for line in text.split("\n"):
        yield Unit("field", line, start, start + len(line), line)
        start += len(line) + 1


def can_answer(unit: Unit, question: str) -> bool:
    """Whether a line of front matter may answer a question: it names the key, or the value says what it does not."""
    match = _FIELD.fullmatch(unit.text)
    if match is None:
        return False
    asked = _words(question)
    key = _words(match["key"])
    if any(_is_same(word, other) for word in key for other in asked):
        return True
    value = {word for word in _words(match["value"]) if not is_stop_word(word)}
    return not key & _ABOUT and not any(_is_same(word, other) for word in value for other in asked)


def _words(text: str) -> set[str]:
    return {folded(word) for word in _WORD.findall(text)}


def _is_same(one: str, other: str) -> bool:
    if one == other or min(len(one), len(other)) < _SAME_START:
        return one == other or one.rstrip("s") == other.rstrip("s")
    return one[:_SAME_START] == other[:_SAME_START] and (one.startswith(other) or other.startswith(one))
