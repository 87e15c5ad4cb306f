"""Serialization of hits."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.cache.packing import pack_hits, unpack_hits
from rag.types import Chunk, Hit, PageStart
from tests.support.builders import a_chunk

TEXT = st.text(max_size=50)
INTEGER = st.integers(-(2**63) + 1, 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ATTRIBUTES = st.dictionaries(TEXT, TEXT | INTEGER | FINITE | st.booleans(), max_size=4)
CHUNK = st.builds(
    Chunk,
    chunk_id=TEXT,
    version_id=TEXT,
    file_id=TEXT,
    filename=TEXT,
    text=TEXT,
    start=st.integers(0, 2**40),
    end=st.integers(0, 2**40),
    heading=TEXT,
    page=st.none() | st.integers(1, 2**31),
    context=TEXT,
    header=TEXT,
    places=TEXT,
    pages=st.lists(st.builds(PageStart, st.integers(0, 2**40), st.integers(1, 9)), max_size=3).map(tuple),
    attributes=ATTRIBUTES,
    read_groups=st.lists(TEXT, max_size=3).map(tuple),
)
HIT = st.builds(
    Hit,
    chunk=CHUNK,
    score=FINITE,
    cosine=st.none() | FINITE,
    ranks=st.dictionaries(TEXT, st.integers(1, 1000), max_size=3),
    scores=st.dictionaries(TEXT, FINITE, max_size=3),
    fused=st.none() | FINITE,
    rerank=st.none() | FINITE,
    duplicates=st.lists(TEXT, max_size=3).map(tuple),
)
MORE = st.dictionaries(TEXT, TEXT | INTEGER | FINITE | st.lists(TEXT, max_size=3), max_size=3)


@given(st.lists(HIT, max_size=4), MORE)
def test_packing_round_trips(hits: list[Hit], more: dict[str, object]) -> None:
    back = unpack_hits(pack_hits(hits, more))
    assert back == (tuple(hits), more)
    assert repr(back) == repr((tuple(hits), more))  # 1.0 is not 1, nor True


def test_field_names_are_packed_once() -> None:
    hits = [Hit(a_chunk("some text", ordinal=n), 0.5) for n in range(100)]
    assert len(pack_hits(hits, {})) < 100 * 220


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"[1,2,3]", b"\xff", orjson.dumps([["a", "b"], [], {}])])
def test_data_of_another_release_is_rejected(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack_hits(data)
