from __future__ import annotations

import pytest

from tests.contract.filter_contract import FilterContract
from tests.contract.keyword_contract import KeywordContract
from tests.contract.sparse_contract import SparseContract
from tests.contract.store_contract import StoreContract
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
