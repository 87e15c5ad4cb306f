from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rag.keywords import keyword_text
from rag.types import Chunk, Match, passage_text


def bm25(chunks: Sequence[Chunk], query: str, language: str, k1: float = 0.9, b: float = 0.4) -> list[Match]:
    """BM25 as Milvus computes it: a word that occurs twice in the query counts twice."""
    bags = [_bag(chunk, language) for chunk in chunks]
    mean_length = sum(bag.total() for bag in bags) / max(len(bags), 1)
    scores = [0.0] * len(chunks)
    for word, times in Counter(keyword_text(query, language).split()).items():
        containing = sum(word in bag for bag in bags)
        idf = math.log(1 + (len(bags) - containing + 0.5) / (containing + 0.5))
        for index, bag in enumerate(bags):
            weight = k1 * (1 - b + b * bag.total() / mean_length)
            scores[index] += times * idf * bag[word] * (k1 + 1) / (bag[word] + weight)
    return [Match(chunk, score) for chunk, score in zip(chunks, scores, strict=True)]


def _bag(chunk: Chunk, language: str) -> Counter[str]:
    words = [*keyword_text(chunk.filename, language).split(), *keyword_text(passage_text(chunk), language).split()]
    return Counter(words)
