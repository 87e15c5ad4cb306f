"""Text that a language model wrote, before it is used for anything: bounded, printable, no babble."""

from __future__ import annotations

import re
import unicodedata

_UNPRINTABLE = {"Cc", "Cs", "Co", "Cn"}
_JOINERS = "\u200c\u200d"
"""Of the format characters the two that words are spelled with."""
_NO_SPACES = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_NO_SPACES}]|[^\W{_NO_SPACES}]+")
"""A character of a script that sets no spaces, or a word of one that does."""
_DISTINCT = 0.4
_FEW_WORDS = 6


def plain(text: str, max_chars: int) -> str:
    """The text on one line without control characters, cut at a word."""
    kept = "".join(" " if _is_unprintable(char) else char for char in text[: 4 * max_chars])
    line = " ".join(kept.split())
    if len(line) <= max_chars:
        return line
    head, space, _ = line[: max_chars + 1].rpartition(" ")
    return head if space else line[:max_chars]


def words(text: str) -> list[str]:
    """In lower case and in order; of Chinese, Japanese and Korean the single characters."""
    return _WORD.findall(text.casefold())


def says_the_same(one: str, other: str) -> bool:
    """Whether they differ in case, white space or punctuation alone."""
    return words(one) == words(other)


def is_babble(text: str) -> bool:
    """Whether there is no word in it, or the same few again and again, as small models come to write."""
    found = words(text)
    return not found or (len(found) > _FEW_WORDS and len(set(found)) < _DISTINCT * len(found))


def _is_unprintable(char: str) -> bool:
    kind = unicodedata.category(char)
    return kind in _UNPRINTABLE or (kind == "Cf" and char not in _JOINERS)
