"""Recognizes the language of a text by its most frequent words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rag.keywords.stop_words import FREQUENT_WORDS

_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in FREQUENT_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)
_MIN_WORDS = 2


def languages_of(word: str) -> Sequence[str]:
    """The languages of which a word in lower case is one of the most frequent."""
    return _LANGUAGES_OF.get(word, ())


def other_language(words: Iterable[str], language: str) -> str:
    """The language of the words, in lower case, if it is not the given one; empty if it is, or if it is not clear."""
    counts: Counter[str] = Counter()
    for word in words:
        for name in _LANGUAGES_OF.get(word, ()):
            counts[name] += 1
    if not counts:
        return ""
    best = max(counts, key=lambda each: (counts[each], each == language, each == "english"))
    return best if counts[best] >= _MIN_WORDS and best != language else ""
