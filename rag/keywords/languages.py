"""Stemmers, by language and script."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import regex
import Stemmer

from rag.errors import SetupError

LANGUAGES: tuple[str, ...] = tuple(name for name in Stemmer.algorithms() if name.isalpha())
"""The supported languages: those of the Snowball stemmers."""

_SCRIPTS = {
    "Cyrillic": ("russian", "serbian"),
    "Greek": ("greek",),
    "Arabic": ("arabic", "persian"),
    "Armenian": ("armenian",),
    "Devanagari": ("hindi", "nepali"),
    "Tamil": ("tamil",),
    "Hebrew": ("yiddish",),
}
"""The languages of each script but Latin; the first one's stemmer is used in stores of another script."""
_DEFAULT_LANGUAGES: Mapping[str, str] = {
    "Latin": "english",
    **{script: languages[0] for script, languages in _SCRIPTS.items()},
    "Hebrew": "",  # Yiddish stems are no help for Hebrew
}
_SCRIPT_OF = {language: script for script, languages in _SCRIPTS.items() for language in languages}
_LETTER_OF = regex.compile("|".join(rf"(?P<{script}>\p{{{script}}})" for script in _SCRIPTS))
_PERSIAN = regex.compile("[پچژگکی]")

_stemmers = threading.local()  # stemmers are not thread-safe


def checked_language(language: str) -> str:
    """Return the language if it is supported, or the empty string, which turns stemming off.

    Raises:
        SetupError: the language is not supported.
    """
    if language and language not in LANGUAGES:
        raise SetupError(
            f"keyword search does not support the language {language!r}; supported: {', '.join(LANGUAGES)}, and "
            "the empty string for no stemming",
            param="RAG_STORE__LANGUAGE",
        )
    return language


def stemmed(word: str, language: str) -> str:
    """The stem of a word in lower case; the word itself if the language is empty.

    A word in another script than the language's has the stemmer of the most frequent language of that script.
    """
    if not language:
        return word
    stemmer_language = language if word.isascii() and language not in _SCRIPT_OF else _language_of(word, language)
    if not stemmer_language:
        return word
    return _stemmer(stemmer_language).stemWord(word) or word  # Porter leaves nothing of "s"


def _language_of(word: str, language: str) -> str:
    letter = _LETTER_OF.search(word)
    script = letter.lastgroup if letter else "Latin"
    if script == _SCRIPT_OF.get(language, "Latin") or (language == "serbian" and script == "Latin"):
        return language
    if script == "Arabic" and _PERSIAN.search(word):
        return "persian"
    return _DEFAULT_LANGUAGES[script or "Latin"]


def _stemmer(language: str) -> Stemmer.Stemmer:
    stemmers = _stemmers.__dict__
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]
