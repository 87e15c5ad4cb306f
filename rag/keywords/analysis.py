"""The words of a text, as they are indexed and searched for. Milvus only splits the result at spaces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from rag.keywords.detection import other_language
from rag.keywords.languages import checked_language, stemmed
from rag.keywords.names import Word, names_of, parts_of, words_of
from rag.keywords.ngrams import ngrams
from rag.keywords.normalization import normalized, without_accents
from rag.keywords.prefixes import without_prefixes
from rag.keywords.stop_words import stop_words_of

ANALYSIS_VERSION = 3
"""Raised when texts yield other words. Collections remember it, because words of two versions do not always match."""

_NOT_IN_WORDS = re.compile(r"\W")  # of module `re`, as in Milvus Lite
_NEIGHBORS = 2
_MAX_CACHED_CHARS = 40
_OPERATORS = frozenset(["and", "or"])


def keyword_text(text: str, language: str) -> str:
    """The words to index or to search for, separated by spaces; repeated words stay repeated.

    Words are NFKC, in lower case, stemmed and without accents. Stop words are removed unless they are written as
    abbreviations (`IT`) or there are no other words. Names such as `IVF_FLAT`, `getUserName` or `AB-1234` yield a whole
    word (`ivfflat`, `getusername`, `ab1234`) and their parts. Scripts without spaces between words become bigrams, as
    in Lucene's CJKAnalyzer.

    Raises:
        SetupError: the language is not supported.
    """
    checked_language(language)
    words = list(words_of(normalized(text)))
    lowercase = [word.text.lower() for word in words]
    other = other_language(lowercase, language) if language else ""
    stop_words = stop_words_of(language) | stop_words_of(other)
    kept = [
        word
        for number, word in enumerate(words)
        if lowercase[number] not in stop_words or _is_abbreviation(word.text, words, number)
    ]
    forms = chain.from_iterable(_forms(word, language, other) for word in kept or words)
    return " ".join(filter(None, forms))  # an accent that stands alone has no form


def _is_abbreviation(stop_word: str, words: Sequence[Word], number: int) -> bool:
    """Whether it is written in capitals, unlike a word near it."""
    if len(stop_word) < 2 or not stop_word.isupper() or stop_word.lower() in _OPERATORS:
        return False
    neighbors = words[max(0, number - _NEIGHBORS) : number + _NEIGHBORS + 1]
    return any(word.text != word.text.upper() for word in neighbors)


def _forms(word: Word, language: str, other: str) -> tuple[str, ...]:
    """What is indexed for a word of a text.

    Args:
        other: The language of the text, if it is not that of the store.
    """
    analyze = _cached_forms if len(word.text) <= _MAX_CACHED_CHARS else _analyzed
    return analyze(word, language, other)


def _analyzed(word: Word, language: str, other: str) -> tuple[str, ...]:
    if word.is_unspaced:
        return tuple(map(_plain, ngrams(word.text)))
    names = [stemmed(without_accents(name), language) for name in names_of(word)]
    parts = [stem for part in _parts(word, language) for stem in _stems(part, language, other)]
    return tuple(map(_plain, names + parts))


_cached_forms = lru_cache(maxsize=20_000)(_analyzed)


def _parts(word: Word, language: str) -> list[str]:
    """The parts of a word; of several parts, those that are not stop words, if there are any."""
    parts = parts_of(word)
    return [part for part in parts if part.lower() not in stop_words_of(language)] or parts


def _stems(part: str, language: str, other: str) -> Iterable[str]:
    """The stem; with accents or prefixes, also the stem of the word without them; and the stem in another language."""
    word = part.casefold()
    if word.isascii():
        stem = stemmed(word, language)
        return dict.fromkeys((stem, stemmed(word, other))) if other else (stem,)
    bare = without_accents(word)
    stems = [without_accents(stemmed(word, language)), stemmed(bare, language)]
    stems += [stemmed(form, language) for form in without_prefixes(bare)]
    if other:
        stems.append(without_accents(stemmed(word, other)))
    return dict.fromkeys(stems)


def _plain(word: str) -> str:
    """The word with characters that Milvus Lite would split at, such as Hindi vowel signs, as their code points."""
    return word if word.isascii() else _NOT_IN_WORDS.sub(lambda match: f"{ord(match[0]):x}", word)
