"""Finds the hits that contain exactly what a question names.

An encoder knows nothing about `QX-7731-B`: its cosine with the passage that contains it may be as low as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import regex

from rag.keywords import UNSPACED, folded
from rag.retrieve.ranking.question_words import QuestionWords, question_words
from rag.types import Chunk, Hit

_MAX_WORDS = 3
"""An encoder can compare longer questions by what they mean."""
_MAX_SHARE = 0.5
_RUN = regex.compile(r"[\p{L}\p{M}]+|\p{N}+|[.+#]")
_UNSPACED = regex.compile(f"[{UNSPACED}]")
_LETTER = rf"[\p{{L}}\p{{M}}\p{{N}}--[{UNSPACED}]]"
_BEFORE = rf"(?<!{_LETTER})(?<!\p{{N}}[.\-])"
_AFTER = rf"(?!{_LETTER}|[+#]|[.\-]\p{{N}})"

_Contains: TypeAlias = Callable[[str], bool]


def mark_exact_matches(hits: Sequence[Hit], question: str, candidates: Sequence[Hit]) -> list[Hit]:
    """The hits; those that contain what the question names have `is_exact`.

    A hit is exact if it contains an identifier of the question, or if the question is short and the hit contains all
    its words: one must be a name or number, or there must be no stop words beside them.

    Args:
        candidates: All that the search found. Words of most of them say nothing about a hit, unless they are names.
    """
    names = _name_matchers(question_words(question), candidates)
    if not names:
        return list(hits)
    texts = [_searched_text(hit.chunk) for hit in hits]
    return [
        replace(hit, is_exact=any(contains(text) for contains in names)) for hit, text in zip(hits, texts, strict=True)
    ]


def _name_matchers(words: QuestionWords, candidates: Sequence[Hit]) -> list[_Contains]:
    """Functions that find what the question names in a folded text."""
    if words.identifiers:
        return [contains_all([identifier]) for identifier in words.identifiers]
    if not 0 < len(words.content) <= _MAX_WORDS:
        return []
    contains = contains_all(words.content)
    if words.has_name:
        return [contains]
    found = sum(contains(_searched_text(hit.chunk)) for hit in candidates) if words.is_bare else 0
    return [contains] if 0 < found <= max(1, _MAX_SHARE * len(candidates)) else []


def contains_all(words: Sequence[str]) -> _Contains:
    """A function that tells whether a text, folded by `rag.keywords.folded`, contains all the words as whole words."""
    patterns = [_pattern(folded(word)) for word in words]
    return lambda text: all(pattern.search(text) is not None for pattern in patterns)


def _pattern(word: str) -> regex.Pattern[str]:
    """Finds the word as a whole; its letters and digits may be separated by a space, a dash, or not at all."""
    if _UNSPACED.search(word):
        return regex.compile(regex.escape(word))
    runs: list[str] = [run for number, run in enumerate(_RUN.findall(word)) if run != "." or number == 0]
    gaps = [_gap(one, other) for one, other in pairwise(runs)]
    body = "".join(map("".join, zip(map(regex.escape, runs), [*gaps, ""], strict=True)))
    return regex.compile(_BEFORE + body + _AFTER, regex.V1)


def _gap(one: str, other: str) -> str:
    if not (one.isalnum() and other.isalnum()):
        return ""
    return r"[._:/\-]" if one.isnumeric() and other.isnumeric() else r"[\s._:/\-]?"


def _searched_text(chunk: Chunk) -> str:
    return folded("\n".join((chunk.filename, chunk.heading, chunk.header, chunk.text, chunk.context)))
