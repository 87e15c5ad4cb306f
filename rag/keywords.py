"""The words of a text, as the keyword path compares them: made here, so that every Milvus finds the same.

Milvus only splits what comes out of here at its blanks.
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
"""Languages whose endings are known: those of the Snowball stemmers."""

# Snowball's own list for English, https://snowballstem.org/algorithms/english/stop.txt, as Lucene has it, too. The
# other languages have none here: BM25 gives words that are everywhere next to no weight.
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
"""Words with what joins their parts: `max_num_seqs`, `v2.4`, `index.md`, `state-of-the-art`, `isn't`."""
_PART = regex.compile(rf"{_LETTERS}+")
_NAME = regex.compile(r"[._\p{N}]")
"""What makes joined parts a name, to be found whole; other words with hyphens are what their parts are."""
_CJK_RUN = regex.compile(r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー]+)")
_NOT_IN_WORDS = re.compile(r"\W")  # of `re`, as in Milvus Lite
_QUOTES = str.maketrans("’ʼ＇", "'''")

_stemmers = threading.local()  # a stemmer is for one thread at a time


def checked_language(language: str) -> str:
    """The language itself; empty: words are taken as they are.

    Raises:
        SetupError: its endings are not known.
    """
    if language and language not in LANGUAGES:
        raise SetupError(
            f"the keyword path knows no language {language!r}; it knows {', '.join(LANGUAGES)}, and the empty string "
            "for words as they are",
            param="RAG_STORE__LANGUAGE",
        )
    return language


def keyword_text(text: str, language: str) -> str:
    """The words to be indexed, or searched for, with blanks between them; equal words are repeated.

    They are NFKC, in lower case and without their endings, and stop words are left out unless there is nothing else.
    Names such as `IVF_FLAT` or `v2.4` are there whole, as `ivf_flat` and `v2_4`, and in their parts. Chinese, Japanese
    and Korean become pairs of neighbours, as in Lucene's CJKAnalyzer.

    Raises:
        SetupError: the language is not known.
    """
    checked_language(language)
    stop_words = _STOP_WORDS.get(language, frozenset())
    words = unicodedata.normalize("NFKC", text.translate(_QUOTES)).lower()
    found = list(_words(words, stop_words, language)) or list(_words(words, frozenset(), language))
    return " ".join(found)


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
                    yield from _pairs(part)


def _pairs(word: str) -> Iterator[str]:
    for run in filter(None, _CJK_RUN.split(word)):
        if len(run) == 1 or not _CJK_RUN.match(run):
            yield _plain(run)
        else:
            yield from (_plain(run[at : at + 2]) for at in range(len(run) - 1))


def _plain(word: str) -> str:
    """The word in letters that Milvus Lite takes for such; other signs, such as Hindi's vowels, become their number."""
    return word if word.isascii() else _NOT_IN_WORDS.sub(lambda match: f"{ord(match[0]):x}", word)


def _stemmer(language: str) -> Stemmer.Stemmer:
    stemmers = _stemmers.__dict__
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]
