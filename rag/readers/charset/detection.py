"""Detects the legacy encoding of text by how plausible it reads: script, letters and words of the languages."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from rag.readers.charset import east_asian
from rag.readers.charset.languages import ENCODINGS, Language

_SAMPLE_BYTES = 8192
_IMPLAUSIBLE = -4.0
_MIN_SCORE = -0.3
"""Bytes that read worse in each encoding are no text, or in an encoding that is not listed."""
_RANK_STEP = 0.004
_WORD_WEIGHT = 2.0
_WORD_SMOOTHING = 4
"""Added to the number of words: among a few words, one that is known can be chance."""
_MAX_WORD_BONUS = 0.6
_GREEK_ISO = re.compile(rb"\xb6[\xe1-\xfe]")
"""`Ά` before a small letter in ISO 8859-7; in cp1253, the first byte is `¶`."""
_WORD = re.compile(r"[^\W\d_]+")
_TYPOGRAPHIC = {**dict.fromkeys("“”„«»–—’", 1.0), **dict.fromkeys("‘‚‹›…•·§©®™€£¥°±×÷¼½¾²³¿¡†‡‰µºª\xa0\xad", 0.5)}
_BETWEEN_LETTERS = {"’": 1.1, **dict.fromkeys("·–—\xad\xa0", 0.3)}
_FINAL_HEBREW = frozenset("ךםןףץ")


def detect(content: bytes) -> str | None:
    """The likeliest encoding, by Python's name; None if the content reads as text in none of them."""
    sample = _sample(content)
    scores = {encoding: _score(sample, encoding, languages) for encoding, languages in ENCODINGS}
    for encoding in east_asian.ENCODINGS:
        scores[encoding] = east_asian.mean_score(sample.decode(encoding, "replace"), encoding)
    best = max(scores, key=lambda encoding: scores[encoding] - _RANK_STEP * list(scores).index(encoding))
    if best == "cp1253" and _GREEK_ISO.search(sample):
        best = "iso8859_7"
    return best if scores[best] >= _MIN_SCORE else None


def _sample(content: bytes) -> bytes:
    """The first lines with bytes beyond ASCII; no encoding has a line end within a character."""
    lines: list[bytes] = []
    size = 0
    for line in content.splitlines():
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size >= _SAMPLE_BYTES:
                break
    return b"\n".join(lines)[: 2 * _SAMPLE_BYTES]


def _score(sample: bytes, encoding: str, languages: tuple[Language, ...]) -> float:
    text = unicodedata.normalize("NFC", sample.decode(encoding, "replace"))
    words = _WORD.findall(text.lower())
    known = frozenset().union(*(language.letters for language in languages))
    context = sum(_context_score(text, index) for index, char in enumerate(text) if char > "\x7f")
    letters = [char for char in text if char > "\x7f" and _is_letter(char)]
    count = sum(char > "\x7f" for char in text) or 1
    return max(
        (context + sum(_letter_score(char, language, known) for char in letters)) / count + _word_bonus(words, language)
        for language in languages
    )


def _word_bonus(words: list[str], language: Language) -> float:
    share = sum(word in language.words for word in words) / (len(words) + _WORD_SMOOTHING)
    return min(_MAX_WORD_BONUS, _WORD_WEIGHT * share)


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM" and char not in _TYPOGRAPHIC


def _letter_score(char: str, language: Language, known: frozenset[str]) -> float:
    lower = char.lower()
    if lower not in language.letters:
        return 0.2 if lower in known else -0.6
    score = 1.0 if lower == char else 0.8
    if not language.frequent:
        return score
    return score + (0.2 if lower in language.frequent else -0.3)


def _context_score(text: str, index: int) -> float:
    """What a character's kind and its neighbours say, whatever the language."""
    char = text[index]
    before = text[index - 1] if index else " "
    after = text[index + 1] if index + 1 < len(text) else " "
    if _is_letter(char):
        return _fit(before, char) + (_fit(char, after) if after.isascii() else 0.0)
    if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cn", "Co"):
        return _IMPLAUSIBLE
    if before > "\x7f" and not _is_letter(before) and char != "\xa0":
        return -0.5
    if before.isalpha() and after.isalpha():
        return _BETWEEN_LETTERS.get(char, -1.0)
    return _TYPOGRAPHIC.get(char, -0.5)


@lru_cache(maxsize=20_000)
def _fit(first: str, second: str) -> float:
    """A penalty for two neighbours that no word has: of different scripts, or a capital after a small letter."""
    if not (_is_letter(first) and _is_letter(second)):
        return 0.0
    if _script(first) != _script(second) and "INHERITED" not in (_script(first), _script(second)):
        return -1.2
    if (first.islower() and second.isupper()) or first in _FINAL_HEBREW:
        return -1.0
    return 0.0


_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI")


def _script(char: str) -> str:
    name = unicodedata.name(char, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), "INHERITED")
