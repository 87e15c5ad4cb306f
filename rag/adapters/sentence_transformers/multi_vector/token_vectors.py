"""The token vectors of a text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SPECIAL = -1
"""Id of special tokens, such as [CLS]."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The tokens of a text that the model reads, without its prefix.

    Attributes:
        ids: Token ids, of shape (tokens,).
        vectors: Vectors of length 1, of shape (tokens, dimensions).
    """

    ids: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float16]

    @property
    def nbytes(self) -> int:
        return self.ids.nbytes + self.vectors.nbytes
