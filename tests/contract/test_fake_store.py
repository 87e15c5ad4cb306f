from __future__ import annotations

import pytest

from tests.contract.store_contract import StoreContract
from tests.fakes import FakeVectorStore


class TestFakeVectorStore(StoreContract):
    @pytest.fixture
    def store(self) -> FakeVectorStore:
        return FakeVectorStore()
