"""Splits texts that are longer than an encoder's input into windows, and averages the vectors of the windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.ports import Vectors
from rag.types import LongTexts, TokenIds


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of all texts, one after the other."""

    ids: tuple[TokenIds, ...]
    texts: tuple[int, ...]
    """For each window, the position of its text."""
    weights: tuple[int, ...]
    """For each window, the number of tokens of its text."""


def split_windows(texts: Sequence[TokenIds], size: int | None, long_texts: LongTexts) -> Windows:
    """Each text in windows of at most `size` tokens; only the first one of each if long texts are truncated."""
    ids: list[TokenIds] = []
    owners: list[int] = []
    for position, text in enumerate(texts):
        width = size or max(len(text), 1)
        end = min(width, len(text)) if long_texts == "truncate" else len(text)
        parts = [text[start : min(start + width, end)] for start in range(0, max(end, 1), width)]
        ids += parts
        owners += [position] * len(parts)
    return Windows(tuple(ids), tuple(owners), tuple(max(len(part), 1) for part in ids))


def mean_vectors(windows: Windows, vectors: Vectors) -> Vectors:
    """The vector of each text: the mean of those of its windows, weighted by their tokens and normalised."""
    weights = np.array(windows.weights, dtype=np.float32)
    sums = np.zeros((windows.texts[-1] + 1, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, list(windows.texts), vectors * weights[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means: Vectors = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    return means
