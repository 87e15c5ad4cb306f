"""Sign bits and kept vectors, without a Milvus; `test_old_milvus.py` searches them on a server."""

from __future__ import annotations

import numpy as np
import pytest

from rag.adapters.milvus.quantization import RescoreDtype, decoded, encoded, encoded_length, sign_bits
from rag.ports import Vectors

DTYPES: list[RescoreDtype] = ["float32", "int8"]


def unit_vectors(count: int, dimensions: int) -> Vectors:
    vectors = np.random.default_rng(1).normal(size=(count, dimensions)).astype(np.float32)
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def test_a_bit_per_dimension_is_set_above_zero() -> None:
    vector = np.array([[0.5, -0.5, 0, 1e-9, 0, 0, 0, 0.1, -1, 0, 0, 0, 0, 0, 0, 0]], np.float32)
    assert sign_bits(vector) == [bytes([0b10010001, 0])]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dimensions", [8, 384, 1000])
def test_kept_vectors_come_back(dimensions: int, dtype: RescoreDtype) -> None:
    vectors = unit_vectors(20, dimensions)
    texts = [encoded(vector, dtype) for vector in vectors]
    assert {len(text) for text in texts} == {encoded_length(dimensions, dtype)}
    restored = decoded(texts, dtype)
    cosines = (restored * vectors).sum(axis=1)
    assert cosines == pytest.approx(1, abs=1e-6 if dtype == "float32" else 1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_restored_vector_is_kept_and_searched_as_the_original(dtype: RescoreDtype) -> None:
    vectors = unit_vectors(50, 384)
    vectors[0, :2] = 1e-9, -1e-9  # too small for int8
    texts = [encoded(vector, dtype) for vector in vectors]
    restored = decoded(texts, dtype)
    assert [encoded(vector, dtype) for vector in restored] == texts
    assert sign_bits(restored) == sign_bits(vectors)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_vector_of_zeros(dtype: RescoreDtype) -> None:
    assert not decoded([encoded(np.zeros(8, np.float32), dtype)], dtype).any()
