"""Takes words apart that are made of several: `getUserName`, `max_num_seqs`, `RFC7231`, `v2.4`, `1,250,000`, `C++`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import regex

from rag.keywords.normalization import UNSPACED

_LETTER = rf"[a-zA-Z0-9[\p{{L}}\p{{M}}\p{{N}}--[{UNSPACED}\p{{Hangul}}]]]"
_NUMBER = (
    r"(?P<number>(?=\d)(?<![\d.,])\d{1,3}"
    r"(?:(?:,\d{3})+(?!\d|,\d)|(?:'\d{3})+(?!\d|'\d)|(?:\.\d{3}){2,}(?!\d|\.\d)))"
)
_WORD = regex.compile(
    rf"{_NUMBER}"
    rf"|(?P<word>{_LETTER}+(?:(?:[._'\-]+|&){_LETTER}+)*)(?P<symbols>\+\+|[+\#](?![\p{{L}}\p{{N}}]))?"
    rf"|(?P<run>[{UNSPACED}\p{{Hangul}}](?:[{UNSPACED}\p{{Hangul}}]|\p{{M}})*)"
    r"|[+\-](?=\d)(?<![\p{L}\p{M}\p{N}+\-.].)|\.(?=\p{L}{2})(?<![\p{L}\p{M}\p{N}_.].)",
    regex.V1,
)
_ASCII_WORD = re.compile(
    rf"{_NUMBER}"
    r"|(?P<word>[a-zA-Z0-9]+(?:(?:[._'\-]+|&)[a-zA-Z0-9]+)*)(?P<symbols>\+\+|[+#](?![a-zA-Z0-9]))?"
    r"|[+\-](?=\d)(?<![a-zA-Z0-9+\-.].)|\.(?=[a-zA-Z]{2})(?<![a-zA-Z0-9_.].)"
)
"""The same for ASCII text, in half of the time."""
_PART = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_NAME = regex.compile(r"[._&\p{N}]")
"""A compound word with one of these is a name, which is indexed as a whole too; others are indexed by parts only,
unless they are two words with a hyphen, one of them very short."""
_JOINED_PARTS, _SHORT_PART = 2, 2
_BORDER = regex.compile(
    r"(?<=\p{Ll}{2})(?=\p{Lu}\p{L}{2})"  # getUser
    r"|(?<=\p{Ll}{3})(?=\p{Lu}\p{L})"  # userId
    r"|(?<=\p{Lu}{2})(?=\p{Lu}\p{Ll}{2})"  # HTTPServer
    r"|(?<=\p{L}{2})(?=\p{N})|(?<=\p{N})(?=\p{L}{2})"  # RFC7231, 40mm
)
_SYMBOLS = {"+": "_plus", "#": "_sharp"}
_PREFIXES = {"+": "plus_", "-": "minus_", ".": "dot_"}


class Word(NamedTuple):
    """A word of a text, in the text's own case."""

    text: str
    prefix: str = ""
    """For the sign of a number or the dot of `.NET`: what the word's name begins with."""
    symbols: str = ""
    """The end of `C++` and `C#`."""
    is_number: bool = False
    """Whether it is a number with separators, such as 1,250,000."""
    is_unspaced: bool = False
    """Whether it is a run of letters of a script that does not separate words, or of Hangul."""


def words_of(text: str) -> Iterator[Word]:
    """The words of a normalized text."""
    prefix = ""
    for match in (_ASCII_WORD if text.isascii() else _WORD).finditer(text):
        if match.lastgroup == "word":
            yield Word(match[0], prefix)
        elif match.lastgroup == "symbols":
            yield Word(match["word"], prefix, match["symbols"])
        elif match.lastgroup is not None:
            yield Word(match[0], prefix, "", match.lastgroup == "number", match.lastgroup == "run")
        prefix = "" if match.lastgroup else _PREFIXES[match[0]]


def parts_of(word: Word) -> list[str]:
    """The parts of a compound word, in the text's own case; otherwise the word itself."""
    if word.symbols and len(word.text) == 1:
        return []  # "C++" is not "C"
    parts = _separated(word)
    return [piece for part in parts for piece in _pieces(part, is_alone=len(parts) == 1)]


def _pieces(part: str, *, is_alone: bool) -> list[str]:
    """The part, and what its own parts are. A single digit is not worth a word of its own."""
    pieces: list[str] = _BORDER.split(part)
    if len(pieces) == 1:
        return pieces
    return [*([] if is_alone else [part]), *(piece for piece in pieces if len(piece) > 1)]


def names_of(word: Word) -> list[str]:
    """The forms under which the word is found as a whole, besides its parts."""
    parts = _separated(word)
    name = "".join(parts) if word.is_number else _joined(parts)
    names = []
    if word.prefix or word.symbols:
        names.append(word.prefix + name + "".join(_SYMBOLS[symbol] for symbol in word.symbols))
    if word.is_number or _is_name(word.text, parts):
        names.append(name)
    if word.is_number and "." in word.text:  # 1.250.000 may be a number or a version
        names.append(_joined(parts))
    return names


def _is_name(word: str, parts: list[str]) -> bool:
    if len(parts) == _JOINED_PARTS and "-" in word and min(map(len, parts)) <= _SHORT_PART:
        return True  # Wi-Fi and WiFi, e-mail and email
    pattern = _NAME if len(parts) > 1 else _BORDER
    return pattern.search(word) is not None


def _separated(word: Word) -> list[str]:
    parts: list[str] = _PART.findall(word.text.removesuffix("'s"))
    return parts


def _joined(parts: list[str]) -> str:
    """The parts without separators, so that `AB-1234` and `AB1234` are the same; numbers stay apart."""
    name = parts[0]
    for part in parts[1:]:
        name += f"_{part}" if name[-1].isnumeric() and part[0].isnumeric() else part
    return name
