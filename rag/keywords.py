"""Normalizes text for keyword search, so that Milvus Lite and Milvus servers index and find the same words.

Milvus only splits the result at spaces.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator

import regex
import Stemmer

from rag.errors import SetupError

LANGUAGES: tuple[str, ...] = tuple(name for name in Stemmer.algorithms() if name.isalpha())
"""The supported languages: those of the Snowball stemmers."""

# Snowball's own list for English, https://snowballstem.org/algorithms/english/stop.txt, also used by Lucene. The
# other languages have no list: BM25 gives frequent words almost no weight.
_ENGLISH = """
i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
its itself they them their theirs themselves what which who whom this that these those am is are was were be been
being have has had having do does did doing would should could ought i'm you're he's she's it's we're they're i've
you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll isn't aren't wasn't
weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't shouldn't can't cannot couldn't mustn't
let's that's who's what's here's there's when's where's why's how's a an the and but if or because as until while of
at by for with about against between into through during before after above below to from up down in out on off over
under again further then once here there when where why how all any both each few more most other some such no nor
not only own same so than too very
"""
_STOP_WORDS = {"english": frozenset(_ENGLISH.split())}

_LETTERS = r"[\p{L}\p{M}\p{N}]"
_WHOLE = regex.compile(rf"{_LETTERS}+(?:[._'\-]+{_LETTERS}+)*")
"""Words, including compound ones: `max_num_seqs`, `v2.4`, `index.md`, `state-of-the-art`, `isn't`."""
_PART = regex.compile(rf"{_LETTERS}+")
_NAME = regex.compile(r"[._\p{N}]")
"""A compound word with one of these is a name, which is indexed as a whole too; others are indexed by parts only."""
_CJK_RUN = regex.compile(r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー]+)")
_NOT_IN_WORDS = re.compile(r"\W")  # of module `re`, as in Milvus Lite
_QUOTES = str.maketrans("’ʼ＇", "'''")

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


def keyword_text(text: str, language: str) -> str:
    """The words to index or to search for, separated by spaces; repeated words stay repeated.

    Words are NFKC, lowercase and stemmed; stop words are removed unless there are no other words. Names such as
    `IVF_FLAT` or `v2.4` yield a whole word (`ivf_flat`, `v2_4`) and their parts. Chinese, Japanese and Korean text
    becomes bigrams, as in Lucene's CJKAnalyzer.

    Raises:
        SetupError: the language is not supported.
    """
    checked_language(language)
    stop_words = _STOP_WORDS.get(language, frozenset())
    words = unicodedata.normalize("NFKC", text.translate(_QUOTES)).lower()
    return " ".join(list(_words(words, stop_words, language)) or _words(words, frozenset(), language))


def _words(text: str, stop_words: frozenset[str], language: str) -> Iterator[str]:
    stem = _stemmer(language).stemWord if language else str
    for match in _WHOLE.finditer(text):
        whole = match[0]
        if whole in stop_words:
            continue
        parts = _PART.findall(whole.removesuffix("'s"))
        if len(parts) > 1 and _NAME.search(whole):
            yield _plain("_".join(parts))
        for part in parts:
            if part not in stop_words:
                if part.isascii() or not _CJK_RUN.search(part):
                    yield _plain(stem(part) or part)  # Porter leaves nothing of "s"
                else:
                    yield from _bigrams(part)


def _bigrams(word: str) -> Iterator[str]:
    for run in filter(None, _CJK_RUN.split(word)):
        if len(run) == 1 or not _CJK_RUN.match(run):
            yield _plain(run)
        else:
            yield from (_plain(run[at : at + 2]) for at in range(len(run) - 1))


def _plain(word: str) -> str:
    """The word with characters that Milvus Lite would split at, such as Hindi vowel signs, as their code points."""
    return word if word.isascii() else _NOT_IN_WORDS.sub(lambda match: f"{ord(match[0]):x}", word)


def _stemmer(language: str) -> Stemmer.Stemmer:
    stemmers = _stemmers.__dict__
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]
