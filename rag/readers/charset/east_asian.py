"""How plausible text is that was decoded from an encoding of Chinese, Japanese or Korean."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_COMMON_HAN = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里日本"
    "這個們來為國說時會對於著過發後作裡用水電"
)
_FIRST_LEVEL: Final = {
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "big5hkscs": ("big5", 0xA4, 0xC6),
    "cp932": ("shift_jis", 0x88, 0x98),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}
"""The older standard within each encoding, and the first bytes of the characters in everyday use."""
ENCODINGS: Final = ("cp932", "cp949", "euc_jp", "gb18030", "big5hkscs")
_IMPLAUSIBLE = -4.0
_KANA = re.compile("[\u3041-\u30fa]")
_MAX_WITHOUT_KANA = 6
"""Longer Japanese texts have kana."""


def mean_score(text: str, encoding: str) -> float:
    """The mean plausibility of the characters beyond ASCII, about -4 to 1.3."""
    scores = [_score(text, index, encoding) for index, char in enumerate(text) if char > "\x7f"]
    lacks_kana = encoding in ("cp932", "euc_jp") and len(scores) > _MAX_WITHOUT_KANA and not _KANA.search(text)
    return sum(scores) / len(scores) - 0.4 * lacks_kana if scores else 0.0


def _score(text: str, index: int, encoding: str) -> float:
    score = _char_score(text[index], encoding)
    around = text[max(0, index - 1) : index] + text[index + 1 : index + 2]
    touches_latin = any(char.isascii() and char.isalpha() for char in around)
    return score - 0.7 if touches_latin and score != _IMPLAUSIBLE else score


@lru_cache(maxsize=20_000)
def _char_score(char: str, encoding: str) -> float:
    if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cn", "Co"):
        return _IMPLAUSIBLE
    if "\u3040" <= char <= "\u30ff":
        return 1.1 if encoding in ("cp932", "euc_jp") else -0.5
    if "\uff61" <= char <= "\uff9f":
        return -0.6  # halfwidth katakana: what most other encodings look like in Shift JIS
    if "\uac00" <= char <= "\ud7a3" or "\u4e00" <= char <= "\u9fff":
        return _ideograph_score(char, encoding)
    if unicodedata.category(char)[0] == "P" or "\uff00" < char < "\uff5f":
        return 0.5
    return -0.5


def _ideograph_score(char: str, encoding: str) -> float:
    standard, first, last = _FIRST_LEVEL[encoding]
    try:
        lead = char.encode(standard)[0]
    except UnicodeEncodeError:
        return -1.0
    if not first <= lead <= last:
        return -0.3
    return 1.3 if char in _COMMON_HAN else 1.0
