"""How well a text supports a sentence that cites it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from rag.chunkers.sentences import sentence_spans
from rag.ports import Embedder

_WINDOW = 2
"""Sentences: an answer often says in one what its source says in two."""


async def support(pairs: Sequence[tuple[str, str]], embedder: Embedder) -> list[float]:
    """For each sentence and its source the cosine of their vectors, at the source's best place, in [0, 1].

    A place is a sentence, or a few in a row. Raises what the encoder raises.
    """
    places = {source: windows(source) for _, source in pairs}
    texts = list(dict.fromkeys([*(sentence for sentence, _ in pairs), *chain.from_iterable(places.values())]))
    vectors = await embedder.encode(texts, "passage")
    row = {text: number for number, text in enumerate(texts)}
    scores = []
    for sentence, source in pairs:
        cosines = vectors[[row[text] for text in places[source]]] @ vectors[row[sentence]]
        scores.append(float(np.clip(cosines.max(), 0.0, 1.0)))
    return scores


def windows(text: str) -> list[str]:
    """The sentences, and so many in a row; the text itself where it has none."""
    spans = list(sentence_spans(text))
    starts = [(first, first + many) for many in range(1, _WINDOW + 1) for first in range(len(spans) - many + 1)]
    return list(dict.fromkeys(text[spans[a][0] : spans[b - 1][1]] for a, b in starts)) or [text]
