"""Cleans and checks text from a language model before it is used: printable, of limited length, not degenerate."""

from __future__ import annotations

import re
import unicodedata

_UNPRINTABLE = {"Cc", "Cs", "Co", "Cn"}
_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners: format characters that are part of words."""
_NO_SPACES = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_NO_SPACES}]|[^\W{_NO_SPACES}]+")
"""A character of a script without spaces, or a word of a script with spaces."""
_MIN_DISTINCT = 0.4
"""Share of distinct words below which a text counts as repetitive."""
_SHORT_WORDS = 6
"""Texts of at most this many words may repeat them."""


def plain(text: str, max_chars: int) -> str:
    """The text on one line, without control characters, truncated at a word boundary."""
    printable = "".join(" " if _is_unprintable(char) else char for char in text[: 4 * max_chars])
    line = " ".join(printable.split())
    if len(line) <= max_chars:
        return line
    head, space, _ = line[: max_chars + 1].rpartition(" ")
    return head if space else line[:max_chars]


def words(text: str) -> list[str]:
    """The words in lower case, in order. Chinese, Japanese and Korean are split into characters."""
    return _WORD.findall(text.casefold())


def same_words(one: str, other: str) -> bool:
    """Whether the texts differ only in case, white space and punctuation."""
    return words(one) == words(other)


def is_degenerate(text: str) -> bool:
    """Whether the text has no words or repeats the same few over and over, as small models tend to do."""
    found = words(text)
    return not found or (len(found) > _SHORT_WORDS and len(set(found)) < _MIN_DISTINCT * len(found))


def _is_unprintable(char: str) -> bool:
    kind = unicodedata.category(char)
    return kind in _UNPRINTABLE or (kind == "Cf" and char not in _JOINERS)
