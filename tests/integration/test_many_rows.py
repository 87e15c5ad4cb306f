"""Milvus Lite with more rows than one query returns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.adapters.milvus.store import MilvusStore
from tests.contract.vector_store.store_calls import STORE
from tests.support.builders import a_chunk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MilvusStore]:
    store = MilvusStore(str(tmp_path / "milvus.db"))
    yield store
    store.close()


@pytest.mark.parametrize("rows", [pytest.param(5_000), pytest.param(17_000, marks=pytest.mark.long)])
def test_a_version_may_have_more_rows_than_one_query_returns(store: MilvusStore, rows: int) -> None:
    """5,000 are more than a page of ours; 17,000 are more than Milvus returns for any query."""
    store.create(STORE, 2, "small")
    chunks = [a_chunk("t", ordinal=n) for n in range(rows)]
    store.insert(STORE, chunks, np.ones((len(chunks), 2), dtype=np.float32))
    assert store.count(STORE) == store.count(STORE, chunks[0].version_id) == len(chunks)
    assert sorted(store.chunk_ids(STORE)) == [chunk.chunk_id for chunk in chunks]
    store.delete(STORE, [chunks[0].version_id])
    assert store.count(STORE) == 0
