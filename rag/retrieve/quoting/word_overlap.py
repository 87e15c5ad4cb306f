"""Scores units by the words that they share with a question: the substitute for late interaction."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rag.keywords import keyword_text


def word_overlap(question: str, texts: Sequence[str]) -> list[float]:
    """The share of the question's words that each text has, rare ones counting more; in [0, 1]."""
    of_texts = [_words(text) for text in texts]
    having = Counter(term for of_text in of_texts for term in of_text)
    weights = {term: math.log1p((len(texts) + 1) / (having[term] + 0.5)) for term in _words(question)}
    total = sum(weights.values()) or 1.0
    return [sum(weight for term, weight in weights.items() if term in of_text) / total for of_text in of_texts]


def _words(text: str) -> set[str]:
    return set(keyword_text(text, "").split())
