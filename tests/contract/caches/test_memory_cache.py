from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.adapters.memory_cache import MemoryCache
from tests.contract.caches.cache_contract import LONG_S, CacheContract, a_vector, kept

MIB = 1 << 20


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self) -> MemoryCache:
        return MemoryCache(8 * MIB)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def held(cache: MemoryCache) -> int:
    size = cache.facts()["bytes"]
    assert isinstance(size, int)
    return size


async def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(4 * 10_000)
    for key in "abc":
        await cache.put(key, bytes(9_000), LONG_S)
    await cache.get("a")
    for key in "de":
        await cache.put(key, bytes(9_000), LONG_S)
    assert [key for key in "abcde" if await cache.get(key)] == ["a", "c", "d", "e"]


async def test_what_has_expired_goes_before_what_has_not() -> None:
    clock = Clock()
    cache = MemoryCache(2 * 10_000, clock=clock)
    await cache.put("long", bytes(9_000), 100)
    await cache.put("short", bytes(9_000), 1)
    clock.now += 2
    await cache.put("new", bytes(9_000), 100)
    assert [await cache.get(key) is not None for key in ("long", "short", "new")] == [True, False, True]


async def test_a_value_that_is_too_large_is_not_kept_and_the_old_one_is_gone() -> None:
    cache = MemoryCache(10_000)
    await cache.put("a", b"small", LONG_S)
    await cache.put("b", b"small", LONG_S)
    await cache.put("a", bytes(10_001), LONG_S)
    assert [await cache.get("a"), await cache.get("b")] == [None, b"small"]


async def test_a_group_in_use_outlives_values_that_are_not() -> None:
    cache = MemoryCache(100_000)
    await kept(cache, "g", 0, "a")
    for number in range(100):
        await cache.put(f"k{number}", bytes(9_000), LONG_S)
        assert await cache.near("g", a_vector(), 0.9) == ("a", b"value")


async def test_a_group_takes_no_more_than_a_part() -> None:
    cache = MemoryCache(MIB)
    rows = np.eye(1000, dtype=np.float32)  # 4,000 bytes each
    for number in range(1000):
        await cache.remember("g", rows[number], f"k{number}", LONG_S)
    assert held(cache) < 0.4 * MIB
    await cache.put("k999", b"value", LONG_S)
    assert await cache.near("g", rows[999], 0.9) == ("k999", b"value")


STEPS = st.tuples(st.sampled_from("pgrn"), st.integers(0, 30), st.integers(0, 4000), st.floats(0.1, 50))


@settings(max_examples=50)
@given(st.lists(STEPS, max_size=60))
async def test_it_never_holds_more_than_its_bytes(steps: list[tuple[str, int, int, float]]) -> None:
    """Nor does it return what is not the last value put, or what has expired."""
    clock, limit = Clock(), 20_000
    cache = MemoryCache(limit, clock=clock)
    values: dict[str, tuple[bytes, float]] = {}
    for kind, number, size, ttl_s in steps:
        key = f"k{number}"
        clock.now += ttl_s / 10
        if kind == "p":
            values[key] = (bytes([number]) * size, clock.now + ttl_s)
            await cache.put(key, values[key][0], ttl_s)
        elif kind == "r":
            await cache.remember(f"g{number % 3}", a_vector(number), key, ttl_s)
        elif kind == "n":
            near = await cache.near(f"g{number % 3}", a_vector(number), 0.9)
            assert near is None or near[1] == values[near[0]][0]
        value = await cache.get(key)
        assert value is None or (value == values[key][0] and clock.now < values[key][1])
        assert held(cache) <= limit


@pytest.mark.parametrize("size", [0, 3_000])
async def test_the_bytes_are_those_of_the_process(size: int) -> None:
    """What Python itself needs for an entry is counted, too."""
    limit = 4 * MIB
    cache = MemoryCache(limit)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(3 * limit // (size + 500)):
        await cache.put(f"{number:064d}", number.to_bytes(8) + bytes(size), LONG_S)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.9 * limit < held(cache) <= limit
    assert 0.5 * limit < taken < 1.1 * limit
