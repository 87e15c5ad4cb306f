from __future__ import annotations

import pytest

from rag.adapters.memory_counters import MemoryCounters
from tests.contract.caches.counters_contract import CountersContract


class TestMemoryCounters(CountersContract):
    @pytest.fixture
    def counters(self) -> MemoryCounters:
        return MemoryCounters()
