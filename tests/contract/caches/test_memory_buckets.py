from __future__ import annotations

import pytest

from rag.adapters.memory_buckets import MemoryBuckets
from tests.contract.caches.buckets_contract import BucketsContract


class TestMemoryBuckets(BucketsContract):
    @pytest.fixture
    def buckets(self) -> MemoryBuckets:
        return MemoryBuckets()
