"""Scores how well a source supports a sentence that cites it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from rag.chunkers.sentences import sentence_spans
from rag.ports import Embedder

_MAX_SENTENCES = 2
"""Sentences of a window: an answer often condenses two sentences of its source into one."""


async def support(pairs: Sequence[tuple[str, str]], embedder: Embedder) -> list[float]:
    """For each pair of sentence and source, the highest cosine with a window of the source, clipped to [0, 1].

    Raises what the encoder raises.
    """
    source_windows = {source: windows(source) for _, source in pairs}
    texts = list(dict.fromkeys([*(sentence for sentence, _ in pairs), *chain.from_iterable(source_windows.values())]))
    vectors = await embedder.encode(texts, "passage")
    row = {text: number for number, text in enumerate(texts)}
    scores = []
    for sentence, source in pairs:
        cosines = vectors[[row[text] for text in source_windows[source]]] @ vectors[row[sentence]]
        scores.append(float(np.clip(cosines.max(), 0.0, 1.0)))
    return scores


def windows(text: str) -> list[str]:
    """All runs of one to `_MAX_SENTENCES` sentences; the text itself if it has no sentence."""
    spans = list(sentence_spans(text))
    runs = [
        (first, first + length - 1)
        for length in range(1, _MAX_SENTENCES + 1)
        for first in range(len(spans) - length + 1)
    ]
    return list(dict.fromkeys(text[spans[first][0] : spans[last][1]] for first, last in runs)) or [text]
