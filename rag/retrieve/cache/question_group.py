"""Questions that differ in their words alone, by their vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST = 1024
"""Questions in a group: with more of them, the comparison would be felt."""
_FEWEST = 16
_ROUNDING = 1e-6
"""What the same vector may fall short of a cosine of 1 by."""
_A_KEY = 200
"""Bytes that a key takes with all that refers to it, about."""

UnitVector = npt.NDArray[np.float32]
"""Shape (dimensions,), of length 1."""


class QuestionGroup:
    """The newest questions, each with the key of its answer.

    Args:
        most: Questions at most; then the oldest goes for each new one.
    """

    def __init__(self, dimensions: int, most: int = MOST) -> None:
        self._most = most
        self._vectors = np.zeros((min(_FEWEST, most), dimensions), dtype=np.float32)
        self._expires = np.zeros(len(self._vectors))
        self._keys: list[str] = []
        self._place: dict[str, int] = {}
        self._next = 0

    @property
    def dimensions(self) -> int:
        return int(self._vectors.shape[1])

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        return self._vectors.nbytes + self._expires.nbytes + len(self._keys) * _A_KEY

    def add(self, key: str, vector: UnitVector, expires: float) -> None:
        """A key that is there gets this vector and this time in place of its own."""
        place = self._place[key] if key in self._place else self._new_place(key)
        self._vectors[place] = vector
        self._expires[place] = expires

    def nearest(self, vector: UnitVector, min_cosine: float, now: float) -> list[str]:
        """Keys of the questions with at least that cosine that have not expired, nearest first."""
        count = len(self._keys)
        cosines = self._vectors[:count] @ vector
        near = np.flatnonzero((cosines >= min_cosine - _ROUNDING) & (self._expires[:count] > now))
        return [self._keys[place] for place in near[np.argsort(-cosines[near], kind="stable")]]

    def _new_place(self, key: str) -> int:
        place = self._next
        if place < len(self._keys):
            del self._place[self._keys[place]]
            self._keys[place] = key
        else:
            self._grow(place + 1)
            self._keys.append(key)
        self._place[key] = place
        self._next = (place + 1) % self._most
        return place

    def _grow(self, rows: int) -> None:
        if rows > len(self._vectors):
            more = min(len(self._vectors) * 2, self._most) - len(self._vectors)
            self._vectors = np.pad(self._vectors, ((0, more), (0, 0)))
            self._expires = np.pad(self._expires, (0, more))
