from __future__ import annotations

import pytest

from tests.contract.vector_store.filter_contract import FilterContract
from tests.contract.vector_store.keyword_contract import KeywordContract
from tests.contract.vector_store.sparse_contract import SparseContract
from tests.contract.vector_store.store_contract import StoreContract
from tests.fakes import FakeVectorStore


@pytest.fixture
def store() -> FakeVectorStore:
    return FakeVectorStore()


class TestFakeStore(StoreContract):
    pass


class TestFakeKeywords(KeywordContract):
    pass


class TestFakeSparse(SparseContract):
    pass


class TestFakeFilters(FilterContract):
    pass
