"""The nearest of the newest questions, compared with a linear scan."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.cache.question_group import QuestionGroup, UnitVector

MOST = 20


def vector(angle: int) -> UnitVector:
    return np.array([np.cos(angle / 10), np.sin(angle / 10)], dtype=np.float32)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 62), st.integers(0, 100)), max_size=80),
    st.integers(0, 62),
    st.floats(-1, 1),
    st.integers(0, 100),
)
def test_nearest_agrees_with_a_linear_scan(
    added: list[tuple[int, int, int]], angle: int, min_cosine: float, now: int
) -> None:
    group, plain = QuestionGroup(2, MOST), dict[str, tuple[int, int]]()
    for number, at, expires in added:
        key = f"k{number}"
        group.add(key, vector(at), expires)
        if key not in plain and len(plain) == MOST:
            del plain[next(iter(plain))]
        plain[key] = (at, expires)
    cosines = {key: float(vector(at) @ vector(angle)) for key, (at, expires) in plain.items() if expires > now}
    found = group.nearest(vector(angle), min_cosine, now)
    surely = {key for key, cosine in cosines.items() if cosine > min_cosine + 1e-5}
    perhaps = {key for key, cosine in cosines.items() if cosine > min_cosine - 1e-5}
    assert surely <= set(found) <= perhaps
    assert len(set(found)) == len(found)
    assert all(cosines[a] >= cosines[b] - 1e-6 for a, b in itertools.pairwise(found))


def test_memory_grows_with_the_questions() -> None:
    group = QuestionGroup(384)
    assert group.nbytes < 40_000
    for number in range(1024):
        group.add(f"k{number}", np.zeros(384, dtype=np.float32), 1.0)
    full = group.nbytes
    assert 1024 * 384 * 4 < full < 1024 * 384 * 4 * 1.2
    for number in range(3000):
        group.add(f"n{number}", np.zeros(384, dtype=np.float32), 1.0)
    assert group.nbytes == full
