"""The semantic cache: earlier questions by their vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MAX_GROUP_QUESTIONS = 1024
"""Questions in a group; comparing with more of them would take noticeable time."""
_INITIAL_ROWS = 16
_ROUNDING = 1e-6
"""How far the cosine of equal vectors may be below 1."""
_BYTES_PER_KEY = 200
"""Approximate memory of a key with all references to it."""

UnitVector = npt.NDArray[np.float32]
"""Shape (dimensions,), of length 1."""


class QuestionGroup:
    """The newest questions with the same state, each with the key of its result.

    Args:
        max_questions: Each question beyond that replaces the oldest one.
    """

    def __init__(self, dimensions: int, max_questions: int = MAX_GROUP_QUESTIONS) -> None:
        self._max_questions = max_questions
        self._vectors = np.zeros((min(_INITIAL_ROWS, max_questions), dimensions), dtype=np.float32)
        self._expires = np.zeros(len(self._vectors))
        self._keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._next = 0

    @property
    def dimensions(self) -> int:
        return int(self._vectors.shape[1])

    @property
    def nbytes(self) -> int:
        """Approximate memory."""
        return self._vectors.nbytes + self._expires.nbytes + len(self._keys) * _BYTES_PER_KEY

    def add(self, key: str, vector: UnitVector, expires: float) -> None:
        """Add a question, or replace the vector and the time of a known key."""
        row = self._rows[key] if key in self._rows else self._new_row(key)
        self._vectors[row] = vector
        self._expires[row] = expires

    def nearest(self, vector: UnitVector, min_cosine: float, now: float) -> list[str]:
        """Keys of the unexpired questions with at least this cosine, nearest first."""
        count = len(self._keys)
        cosines = self._vectors[:count] @ vector
        near = np.flatnonzero((cosines >= min_cosine - _ROUNDING) & (self._expires[:count] > now))
        return [self._keys[row] for row in near[np.argsort(-cosines[near], kind="stable")]]

    def _new_row(self, key: str) -> int:
        row = self._next
        if row < len(self._keys):
            del self._rows[self._keys[row]]
            self._keys[row] = key
        else:
            self._grow(row + 1)
            self._keys.append(key)
        self._rows[key] = row
        self._next = (row + 1) % self._max_questions
        return row

    def _grow(self, count: int) -> None:
        if count > len(self._vectors):
            more = min(len(self._vectors) * 2, self._max_questions) - len(self._vectors)
            self._vectors = np.pad(self._vectors, ((0, more), (0, 0)))
            self._expires = np.pad(self._expires, (0, more))
