"""Makes texts equal that differ only in how they are written: width, accents, digits, line ends."""

from __future__ import annotations

import unicodedata

import regex

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Letters, in a character class, of the scripts that write words without spaces between them."""

_REPLACED = str.maketrans({"’": "'", "ʼ": "'", "＇": "'", "−": "-", "™": " ", "®": " ", "ـ": "", "\u00ad": ""})
_LINE_END = regex.compile(rf"(?<=[{UNSPACED}])[ \t]*\r?\n[ \t]*(?=[{UNSPACED}])")
_SPACED_NUMBER = regex.compile(r"(?<![\d\xa0\u202f\u2009])\d{1,3}(?:[\xa0\u202f\u2009]\d{3})+(?!\d)")
_SPACE_IN_NUMBER = regex.compile(r"[\xa0\u202f\u2009]")
_OTHER_DIGIT = regex.compile(r"[\p{Nd}--0-9]", regex.V1)
_MARKS = regex.compile(r"(?<=[\p{Latin}\p{Greek}])\p{M}+|[\u0591-\u05bd\u05bf-\u05c7\u064b-\u0652\u0670]")
_LONG_VOWEL = regex.compile(r"(?<=[\p{Katakana}ー]{3})ー(?![\p{Katakana}ー])")
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h", "ŧ": "t", "ё": "е"}
    | dict.fromkeys("آأإٱ", "ا")
)


def normalized(text: str) -> str:
    """The text in NFKC, with ASCII digits and quotes; its case and accents are kept.

    A line end between letters of a script without spaces is removed, and so is the prolonged sound mark at the end of
    a long Katakana word: `サーバー` and `サーバ` are two spellings of one word.
    """
    if text.isascii():
        return text
    text = _SPACED_NUMBER.sub(lambda match: _SPACE_IN_NUMBER.sub(",", match[0]), text.translate(_REPLACED))
    text = _LINE_END.sub("", unicodedata.normalize("NFKC", text))
    if text.isascii():
        return text
    text = _OTHER_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)
    with_short_vowels: str = _LONG_VOWEL.sub("", text)
    return with_short_vowels


def without_accents(word: str) -> str:
    """The word in lower case without accents: `Zürich` becomes `zurich`, `Straße` becomes `strasse`."""
    word = word.casefold()
    if word.isascii():
        return word
    bare = _MARKS.sub("", unicodedata.normalize("NFD", word.translate(_LETTERS)))
    return unicodedata.normalize("NFC", bare)


def folded(text: str) -> str:
    """The text in a form that ignores case, accents and width."""
    return without_accents(normalized(text))
