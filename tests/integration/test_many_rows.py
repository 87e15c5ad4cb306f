"""Milvus Lite with more rows than one of its queries returns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.adapters.milvus_store import MilvusStore
from tests.builders import a_chunk
from tests.contract.store_contract import STORE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MilvusStore]:
    store = MilvusStore(str(tmp_path / "milvus.db"))
    yield store
    store.close()


def test_versions_of_more_rows_than_one_query_returns(store: MilvusStore) -> None:
    store.ensure(STORE, 2, "small")
    chunks = [a_chunk("t", ordinal=n) for n in range(17_000)]
    store.insert(STORE, chunks, np.ones((len(chunks), 2), dtype=np.float32))
    (version,) = store.versions(STORE, [chunks[0].file_id])[chunks[0].file_id]
    assert version.chunks == len(chunks)
