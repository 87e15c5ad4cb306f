"""Token vectors as bytes, with two bits for each number instead of sixteen.

The numbers of a vector of length 1 are close to normally distributed, with the standard deviation 1 / sqrt(dimensions).
Each is replaced by the nearest of the four levels that have the least mean squared error for that distribution (Max,
1960, Quantizing for minimum distortion, doi:10.1109/TIT.1960.1057548). Reranking 30 passages of a dense search with the
embedded encoder, nDCG@10 was 0.982 instead of 0.985 on XQuAD and 0.873 with either on SciFact.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import numpy.typing as npt

from rag.adapters.sentence_transformers.multi_vector.token_vectors import TokenVectors

_LEVELS = np.array([-1.510, -0.4528, 0.4528, 1.510], dtype=np.float32)
"""In standard deviations."""
_BORDERS = (_LEVELS[1:] + _LEVELS[:-1]) / 2
_BITS = 2
_PER_BYTE = 8 // _BITS
_SHIFTS = np.arange(0, 8, _BITS, dtype=np.uint8)
_PLACES = np.left_shift(1, _SHIFTS, dtype=np.uint8)
"""The factor of each of the numbers in a byte."""
_DECODED = _LEVELS[(np.arange(256)[:, None] >> _SHIFTS) & (2**_BITS - 1)]
"""The numbers in each byte, of shape (256, 4)."""
_HEADER = struct.Struct("<II")
"""The number of tokens, and of dimensions."""


def quantized(tokens: TokenVectors) -> bytes:
    """Ids and vectors as bytes; about 100 bytes for each token with 384 dimensions."""
    count, dimensions = tokens.vectors.shape
    width = _bytes_each(dimensions)
    vectors = tokens.vectors.astype(np.float32)
    numbers = np.zeros((count, width * _PER_BYTE), dtype=np.uint8)
    for border in _BORDERS / np.float32(math.sqrt(dimensions)):  # eight times as fast as np.digitize
        numbers[:, :dimensions] += vectors >= border
    codes: npt.NDArray[np.uint8] = numbers.reshape(count, width, _PER_BYTE) @ _PLACES
    return _HEADER.pack(count, dimensions) + tokens.ids.astype("<i4").tobytes() + codes.tobytes()


def dequantized(data: bytes) -> TokenVectors:
    """The tokens of `quantized`, with vectors of length 1 again."""
    count, dimensions = _HEADER.unpack_from(data)
    ids = np.frombuffer(data, "<i4", count, _HEADER.size)
    width = _bytes_each(dimensions)
    codes = np.frombuffer(data, np.uint8, offset=_HEADER.size + ids.nbytes).reshape(count, width)
    vectors: npt.NDArray[np.float32] = _DECODED[codes].reshape(count, width * _PER_BYTE)[:, :dimensions]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return TokenVectors(ids.astype(np.int32), (vectors / length).astype(np.float16))


def _bytes_each(dimensions: int) -> int:
    """Bytes for one vector."""
    return -(-dimensions // _PER_BYTE)
