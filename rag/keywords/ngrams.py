"""Indexes runs of letters of scripts that write words without spaces, and of Hangul, by one or two characters each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import regex

_SCRIPT = regex.compile(
    r"(?P<han>[\p{Han}\p{Hiragana}\p{Katakana}ー]+)|(?P<hangul>\p{Hangul}+)"
    r"|(?P<southeast_asian>(?:[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|\p{M})+)"
)
_HAN = regex.compile(r"\p{Han}")
_CHARACTER = regex.compile(r"\X")
_SHORT = 3


def ngrams(run: str) -> Iterator[str]:
    """Bigrams, and single characters that are words by themselves.

    These are Han characters, the first syllable of a short Korean word, which a particle may follow, and characters
    with vowel signs or tone marks in Thai, Lao, Khmer and Burmese.
    """
    for match in _SCRIPT.finditer(run):
        characters = _CHARACTER.findall(match[0]) if match["southeast_asian"] else list(match[0])
        if len(characters) == 1:
            yield characters[0]
            continue
        yield from map("".join, pairwise(characters))
        yield from _single(match, characters)


def _single(match: regex.Match[str], characters: list[str]) -> Iterator[str]:
    if match["han"]:
        yield from filter(_HAN.match, characters)
    elif match["southeast_asian"]:
        yield from (character for character in characters if len(character) > 1)
    elif len(characters) <= _SHORT:
        yield characters[0]
