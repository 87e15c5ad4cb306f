"""Dense vectors in fewer bytes: sign bits, which are searched, and what candidates are rescored by."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.ports import Vectors

RescoreDtype: TypeAlias = Literal["float32", "int8"]
_ITEM_BYTES = {"float32": 4, "int8": 1}
_INT8_MAX = 127


def sign_bits(vectors: Vectors) -> list[bytes]:
    """One bit per dimension, 1 above zero, as `quantize_embeddings` of sentence-transformers packs them (`ubinary`)."""
    return [bits.tobytes() for bits in np.packbits(np.asarray(vectors) > 0, axis=-1)]


def encoded_length(dimensions: int, dtype: RescoreDtype) -> int:
    """The length of an encoded vector in bytes."""
    return 4 * ((dimensions * _ITEM_BYTES[dtype] + 2) // 3)


def encoded(vector: npt.NDArray[np.float32], dtype: RescoreDtype) -> str:
    """A vector as a string, since servers before 2.4 allow only one vector field in a collection."""
    data = vector.astype("<f4") if dtype == "float32" else _quantised(vector)
    return base64.b64encode(data.tobytes()).decode("ascii")


def decoded(texts: Sequence[str], dtype: RescoreDtype) -> Vectors:
    """The vectors that were encoded; those of `int8` scaled to length 1, which is the length of all dense vectors.

    Their sign bits are those of the original vectors, so a copied chunk is found like the original.
    """
    data = b"".join(map(base64.b64decode, texts))
    vectors = np.frombuffer(data, "<f4" if dtype == "float32" else np.int8).reshape(len(texts), -1).astype(np.float32)
    if dtype == "float32":
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = vectors / np.maximum(lengths, 1)
    return scaled


def _quantised(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """Whole numbers from -127 to 127 in proportion to the vector: its length is known, so no scale is stored."""
    largest = float(np.abs(vector).max())
    levels = np.rint(vector * (_INT8_MAX / largest)) if largest else np.zeros_like(vector)
    return np.where(vector > 0, np.maximum(levels, 1), levels).astype(np.int8)
