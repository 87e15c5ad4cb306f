"""Chooses the units that answer a question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.retrieve.quoting.unit import Unit

MAX_QUOTES = 3
"""Units of an answer."""
MAX_CANDIDATES = 8
"""Units among which a language model may choose."""
_PASSAGE_WEIGHT = 0.25
_MIN_RATIO = 0.85
"""Units that score lower, relative to the best one, are left out."""
_SAME_WORDS = 0.6
"""Jaccard similarity above which two units say the same."""
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit of a hit."""

    unit: Unit
    source: int
    """Number of the hit in the answer, from 1."""
    document: str
    """Id of the document version that contains it."""
    page: int | None
    passage_score: float
    """Cosine of the question and the hit's passage."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Units of an answer, in the order in which they are quoted."""

    candidates: tuple[Candidate, ...]
    confidence: float
    """In [0, 1]: how near the best unit and its passage are to the question."""


def select(candidates: Sequence[Candidate], scores: Sequence[float], *, at_most: int, min_ratio: float) -> Selection:
    """The best candidates, ordered as in their documents, the document with the best one first.

    The weight and the ratio were chosen on questions of SQuAD 2.0 (docs/answers.md).

    Args:
        scores: Late interaction of the question with each candidate's unit, in [0, 1].
        at_most: Candidates to return.
        min_ratio: Score relative to the best one below which a candidate is left out.
    """
    combined = [score + _PASSAGE_WEIGHT * each.passage_score for each, score in zip(candidates, scores, strict=True)]
    ranked = sorted(range(len(candidates)), key=lambda position: -combined[position])
    best = ranked[0]
    chosen: list[Candidate] = []
    for position in ranked:
        if len(chosen) == at_most or combined[position] < min_ratio * combined[best]:
            break
        if not _is_repeated(candidates[position], chosen):
            chosen.append(candidates[position])
    confidence = (scores[best] + max(0.0, candidates[best].passage_score)) / 2
    return Selection(tuple(_in_reading_order(chosen)), confidence)


def select_quotes(candidates: Sequence[Candidate], scores: Sequence[float]) -> Selection:
    """As many units as answer the question, `MAX_QUOTES` at most."""
    return select(candidates, scores, at_most=MAX_QUOTES, min_ratio=_MIN_RATIO)


def repeats_question(unit: Unit, question: str) -> bool:
    """Whether a unit contains the question itself, as examples and tables of contents do, which answers nothing."""
    asked = _normalized(question)
    return len(asked.split()) >= 3 and f" {asked} " in f" {_normalized(unit.text)} "


def _is_repeated(candidate: Candidate, chosen: Iterable[Candidate]) -> bool:
    """Whether it contains a chosen one, is contained in it, or has mostly the same words."""
    text = _normalized(candidate.unit.text)
    words = set(text.split())
    for other in chosen:
        of_other = _normalized(other.unit.text)
        others = set(of_other.split())
        if f" {text} " in f" {of_other} " or f" {of_other} " in f" {text} ":
            return True
        if len(words & others) > _SAME_WORDS * len(words | others):
            return True
    return False


def _in_reading_order(chosen: Sequence[Candidate]) -> list[Candidate]:
    documents = list(dict.fromkeys(each.document for each in chosen))
    return sorted(chosen, key=lambda each: (documents.index(each.document), each.unit.start))


def _normalized(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))
