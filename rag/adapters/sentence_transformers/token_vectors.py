"""A text as the vectors of its tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SPECIAL = -1
"""Stands for the number of a token that no text has, such as [CLS]."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """As far as the model reads the text; without the prefix that the model wants before it.

    Attributes:
        ids: Shape (tokens,): numbers in the model's vocabulary.
        vectors: Shape (tokens, dimensions), each of length 1.
    """

    ids: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float16]

    @property
    def nbytes(self) -> int:
        return self.ids.nbytes + self.vectors.nbytes
