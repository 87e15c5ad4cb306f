"""Finds the word behind the prefixes of Arabic and Hebrew, such as the article."""

from __future__ import annotations

import regex

_ARABIC = regex.compile(r"^(?:[وف]?[بكل]?ال|[وف]?لل)(?=\p{Arabic}{2})|^[وفبكل](?=\p{Arabic}{4})")
_HEBREW = regex.compile(r"^(?:ו?(?:כש|מה|שה|לכש)?[הבלמשכ]|ו)(?=\p{Hebrew}{3})")
_HEBREW_PREFIX = regex.compile(r"^[ובהלמשכ](?=\p{Hebrew}{3})")


def without_prefixes(word: str) -> list[str]:
    """The word without one prefix, and without all; empty for words of other scripts."""
    if word.isascii():
        return []
    forms = [pattern.sub("", word) for pattern in (_ARABIC, _HEBREW_PREFIX, _HEBREW)]
    return [form for form in dict.fromkeys(forms) if form != word]
