"""What every Cache does. Inherit it and give it a `cache` fixture: an empty one that is ready for use."""

from __future__ import annotations

import asyncio

import numpy as np

from rag.ports import Cache
from rag.retrieve.cache.question_group import MAX_GROUP_QUESTIONS, UnitVector

LONG_S = 60.0
DIMENSIONS = 8


def a_vector(degrees: float = 0.0) -> UnitVector:
    """At this angle to `a_vector()`."""
    radians = np.radians(degrees)
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[:2] = np.cos(radians), np.sin(radians)
    return vector


def cosine(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


async def kept(cache: Cache, group: str, degrees: float, key: str, value: bytes = b"value") -> None:
    await cache.put(key, value, LONG_S)
    await cache.remember(group, a_vector(degrees), key, LONG_S)


class CacheContract:
    async def test_what_was_put_is_there(self, cache: Cache) -> None:
        assert await cache.get("a") is None
        await cache.put("a", b"one", LONG_S)
        await cache.put("b", b"\x00\xff\r\n" * 1000, LONG_S)
        await cache.put("c", b"", LONG_S)
        assert [await cache.get(key) for key in "abc"] == [b"one", b"\x00\xff\r\n" * 1000, b""]

    async def test_the_last_value_counts(self, cache: Cache) -> None:
        await cache.put("a", b"one", LONG_S)
        await cache.put("a", b"two", LONG_S)
        assert await cache.get("a") == b"two"

    async def test_a_value_is_gone_after_its_time(self, cache: Cache) -> None:
        await cache.put("short", b"value", 0.05)
        await cache.put("long", b"value", LONG_S)
        assert await cache.get("short") == b"value"
        await asyncio.sleep(0.1)
        assert [await cache.get("short"), await cache.get("long")] == [None, b"value"]

    async def test_the_nearest_question_is_found(self, cache: Cache) -> None:
        for degrees in (40, 10, 25):
            await kept(cache, "g", degrees, f"at {degrees}", b"%d" % degrees)
        assert await cache.near("g", a_vector(), cosine(45)) == ("at 10", b"10")
        assert await cache.near("g", a_vector(30), cosine(10)) == ("at 25", b"25")

    async def test_no_question_that_is_farther_than_allowed(self, cache: Cache) -> None:
        await kept(cache, "g", 20, "a")
        assert await cache.near("g", a_vector(), cosine(19)) is None
        assert await cache.near("g", a_vector(), cosine(21)) == ("a", b"value")

    async def test_the_same_vector_has_a_cosine_of_1(self, cache: Cache) -> None:
        vectors = np.random.default_rng(0).normal(size=(20, DIMENSIONS)).astype(np.float32)
        for number, vector in enumerate(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)):
            await cache.put(f"k{number}", b"value", LONG_S)
            await cache.remember("g", vector, f"k{number}", LONG_S)
            assert await cache.near("g", vector, 1.0) == (f"k{number}", b"value")

    async def test_groups_know_nothing_of_each_other(self, cache: Cache) -> None:
        await kept(cache, "one", 0, "a")
        assert await cache.near("two", a_vector(), 0.5) is None

    async def test_where_the_nearest_has_no_value_the_next_one_counts(self, cache: Cache) -> None:
        await kept(cache, "g", 10, "farther")
        await cache.remember("g", a_vector(), "nearest", LONG_S)
        assert await cache.near("g", a_vector(), 0.9) == ("farther", b"value")

    async def test_a_question_is_gone_after_its_time(self, cache: Cache) -> None:
        await cache.put("a", b"value", LONG_S)
        await cache.remember("g", a_vector(), "a", 0.05)
        assert await cache.near("g", a_vector(), 0.9) == ("a", b"value")
        await asyncio.sleep(0.1)
        assert await cache.near("g", a_vector(), 0.9) is None
        await kept(cache, "g", 0, "b")
        assert await cache.near("g", a_vector(), 0.9) == ("b", b"value")

    async def test_a_question_that_comes_again_lasts_from_then(self, cache: Cache) -> None:
        await cache.put("a", b"value", LONG_S)
        await cache.remember("g", a_vector(), "a", 0.05)
        await cache.remember("g", a_vector(), "a", LONG_S)
        await asyncio.sleep(0.1)
        assert await cache.near("g", a_vector(), 0.9) == ("a", b"value")

    async def test_a_group_keeps_its_newest_questions(self, cache: Cache) -> None:
        await kept(cache, "g", 0, "first")
        for number in range(MAX_GROUP_QUESTIONS - 1):
            await cache.remember("g", a_vector(90), f"k{number}", LONG_S)
        for _ in range(MAX_GROUP_QUESTIONS // 100):  # a cache may take in what was remembered bit by bit
            await cache.near("g", a_vector(45), 0.9)
        assert await cache.near("g", a_vector(), 0.9) == ("first", b"value")
        await cache.remember("g", a_vector(90), "one too many", LONG_S)
        assert await cache.near("g", a_vector(), 0.9) is None

    async def test_many_at_once(self, cache: Cache) -> None:
        async def one(number: int) -> bytes | None:
            await cache.put(f"k{number}", b"%d" % number, LONG_S)
            await cache.remember("g", a_vector(number), f"k{number}", LONG_S)
            return await cache.get(f"k{number}")

        values = await asyncio.gather(*(one(number) for number in range(12)))
        assert values == [b"%d" % number for number in range(12)]
        near = await asyncio.gather(*(cache.near("g", a_vector(number), 0.9999) for number in range(12)))
        assert near == [(f"k{number}", b"%d" % number) for number in range(12)]

    async def test_its_facts_say_what_it_is_and_that_all_is_well(self, cache: Cache) -> None:
        await cache.put("a", b"value", LONG_S)
        assert cache.facts()["kind"] in ("memory", "redis")
        assert "degraded" not in cache.facts()

    async def test_it_can_be_closed_twice(self, cache: Cache) -> None:
        await cache.put("a", b"value", LONG_S)
        await cache.close()
        await cache.close()
