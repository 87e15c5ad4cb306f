from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator

import pytest

from rag.adapters.redis import cache as redis_cache
from rag.adapters.redis.cache import RedisCache
from rag.errors import SetupError
from tests.contract.caches.cache_contract import LONG_S, CacheContract, a_vector, kept
from tests.support.servers.redis_server import RedisServer, own_redis, shared_redis

__all__ = ["own_redis", "shared_redis"]

pytestmark = pytest.mark.integration

PATIENT_S = 5.0
"""Where the time is not what a test is about: on a busy machine a tenth of a second is nothing."""


class Clock:
    """The real one, which can be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cache(shared_redis: RedisServer) -> AsyncIterator[RedisCache]:
    shared_redis.command("FLUSHALL")
    cache = RedisCache(shared_redis.url, call_timeout_s=PATIENT_S)
    await cache.connect()
    yield cache
    await cache.close()


@pytest.fixture
async def mortal(own_redis: RedisServer, clock: Clock) -> AsyncIterator[RedisCache]:
    """A cache in a Redis that the test may kill."""
    cache = RedisCache(own_redis.url, call_timeout_s=PATIENT_S, clock=clock)
    await cache.connect()
    yield cache
    await cache.close()


@pytest.fixture
async def hurried(own_redis: RedisServer, clock: Clock) -> AsyncIterator[RedisCache]:
    """The same, which waits no longer than it does in service."""
    cache = RedisCache(own_redis.url, clock=clock)
    await cache.connect()
    yield cache
    await cache.close()


class TestRedisCache(CacheContract):
    pass


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "rag.cache"]


async def took_s(cache: RedisCache, calls: int = 1) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        assert await cache.get("a") is None
        assert await cache.near("g", a_vector(), 0.9) is None
    return time.perf_counter() - started


async def until_well(cache: RedisCache, clock: Clock) -> None:
    """Asks, as questions do, until one gets through; the cache connects beside them."""
    give_up = time.monotonic() + 20
    while "degraded" in cache.facts():
        assert time.monotonic() < give_up
        clock.ahead_s += 0.1
        await cache.get("a")
        await asyncio.sleep(0.01)


async def kept_at_last(cache: RedisCache) -> None:
    give_up = time.monotonic() + 20
    while await cache.get("a") != b"value":
        assert time.monotonic() < give_up
        await cache.put("a", b"value", LONG_S)
        await asyncio.sleep(0.01)


async def test_replicas_share_it(cache: RedisCache, shared_redis: RedisServer) -> None:
    other = RedisCache(shared_redis.url, call_timeout_s=PATIENT_S)
    await other.connect()
    await kept(cache, "g", 0, "a", b"of the first")
    assert await other.get("a") == b"of the first"
    assert await other.near("g", a_vector(5), 0.9) == ("a", b"of the first")
    await kept(other, "g", 45, "b", b"of the other")
    assert await cache.near("g", a_vector(45), 0.99) == ("b", b"of the other")
    await other.close()


async def test_it_connects_beside_the_first_questions(shared_redis: RedisServer) -> None:
    cache = RedisCache(shared_redis.url, call_timeout_s=PATIENT_S)
    await cache.put("a", b"value", LONG_S)
    assert await cache.get("a") is None
    await kept_at_last(cache)
    await cache.close()


async def test_all_keys_have_its_prefix_and_an_end(cache: RedisCache, shared_redis: RedisServer) -> None:
    await kept(cache, "g", 0, "a")
    for name in ("rag:1:value:a", "rag:1:group:g"):
        assert 0 < int(shared_redis.command("TTL", name).removeprefix(":")) <= LONG_S
    assert shared_redis.command("DBSIZE") == ":2"


async def test_one_that_is_killed_and_comes_back(
    mortal: RedisCache, own_redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await kept(mortal, "g", 0, "a")
    assert await mortal.get("a") == b"value"
    own_redis.kill()
    assert await took_s(mortal) < 10.0
    assert mortal.facts()["degraded"]
    assert await took_s(mortal, calls=1000) < 10.0
    for _ in range(3):  # each time the pause is over, it is tried once more
        clock.ahead_s += 6
        await mortal.get("a")
        await asyncio.sleep(0.05)
    assert [line for line in lines(caplog) if "does not answer" in line] == lines(caplog)
    assert len(lines(caplog)) == 1
    own_redis.start()
    await until_well(mortal, clock)
    assert [await mortal.get("a"), await mortal.near("g", a_vector(), 0.9)] == [None, None]  # it kept nothing on disk
    await kept(mortal, "g", 10, "b")
    assert await mortal.near("g", a_vector(), 0.9) == ("b", b"value")
    assert [line.partition(" after ")[0] for line in lines(caplog)[1:]] == ["the cache in Redis works again"]


async def test_nothing_is_tried_before_the_pause_is_over(
    mortal: RedisCache, own_redis: RedisServer, clock: Clock
) -> None:
    own_redis.kill()
    await mortal.get("a")
    own_redis.start()
    for _ in range(20):
        await mortal.get("a")
        await asyncio.sleep(0.01)
    assert mortal.facts()["degraded"]
    await until_well(mortal, clock)


async def test_one_that_was_restarted_between_two_questions_is_not_missed(
    mortal: RedisCache, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await mortal.put("a", b"value", LONG_S)
    own_redis.kill()
    own_redis.start()
    assert await mortal.get("a") is None
    await mortal.put("a", b"again", LONG_S)
    assert await mortal.get("a") == b"again"
    assert not lines(caplog)


async def test_one_that_hangs_costs_three_tenths_of_a_second(
    hurried: RedisCache, own_redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.send(signal.SIGSTOP)
    for _ in range(3):
        assert "degraded" not in hurried.facts()
        assert await hurried.get("a") is None
    assert hurried.facts()["degraded"] == "TimeoutError"
    assert await took_s(hurried, calls=1000) < 10.0  # 300 s, if each were waited for
    clock.ahead_s += 6
    assert await took_s(hurried, calls=100) < 10.0  # nobody waits for the attempt to connect: 30 s otherwise
    assert len(lines(caplog)) == 1
    own_redis.send(signal.SIGCONT)
    await until_well(hurried, clock)
    await kept_at_last(hurried)


async def test_many_questions_that_hang_together_wait_together(hurried: RedisCache, own_redis: RedisServer) -> None:
    own_redis.send(signal.SIGSTOP)
    started = time.perf_counter()
    assert await asyncio.gather(*(hurried.get("a") for _ in range(50))) == [None] * 50
    assert time.perf_counter() - started < 10.0  # 15 s, if one waited for the other
    assert hurried.facts()["degraded"] == "TimeoutError"


async def test_a_delay_of_this_process_is_no_outage(hurried: RedisCache, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(6):
        asked = asyncio.create_task(hurried.get("a"))
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - that is the delay
        await asked
        for _ in range(2):
            await hurried.get("a")
    assert not lines(caplog)


async def test_a_caller_that_leaves_in_mid_call_spoils_nothing(mortal: RedisCache, own_redis: RedisServer) -> None:
    """A connection with an answer under way is not given to the next caller."""
    await mortal.put("a", b"of a", LONG_S)
    await mortal.put("b", b"of b", LONG_S)
    for _ in range(30):
        leaving = [asyncio.create_task(mortal.get("a")) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        assert await mortal.get("b") == b"of b"
    assert "degraded" not in mortal.facts()


async def test_one_that_is_full_still_gives(
    mortal: RedisCache, own_redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await mortal.put("a", b"value", LONG_S)
    own_redis.command("CONFIG", "SET", "maxmemory", "1")
    for _ in range(5):
        await mortal.put("b", b"secret text", LONG_S)
        await mortal.remember("g", a_vector(), "b", LONG_S)
    assert await mortal.get("a") == b"value"
    assert mortal.facts() == {"kind": "redis", "degraded": "OutOfMemoryError"}
    assert len(lines(caplog)) == 1
    assert "secret" not in lines(caplog)[0]
    own_redis.command("CONFIG", "SET", "maxmemory", "0")
    clock.ahead_s += 6
    await mortal.put("b", b"secret text", LONG_S)
    assert await mortal.get("b") == b"secret text"
    assert "degraded" not in mortal.facts()


async def test_a_password_is_needed_and_never_shown(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "hush-hush")
    words = ("open-sesame", "hush-hush")
    refused, let_in = (RedisCache(f"{own_redis.url}&password={word}", call_timeout_s=PATIENT_S) for word in words)
    for cache in (refused, let_in):
        await cache.connect()
        await cache.put("a", b"value", LONG_S)
    assert [await refused.get("a"), await let_in.get("a")] == [None, b"value"]
    assert refused.facts() == {"kind": "redis", "degraded": "AuthenticationError"}
    assert "sesame" not in caplog.text + repr(refused.facts())
    await refused.close()
    await let_in.close()


async def test_nobody_there_is_told_when_connecting(caplog: pytest.LogCaptureFixture) -> None:
    cache = RedisCache("redis://:hush@127.0.0.1:1/0")
    await cache.connect()
    assert cache.facts()["degraded"]
    assert "does not answer" in caplog.text
    assert "hush" not in caplog.text
    await cache.close()


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://hush@host", "redis://:hush@host:port-hush/0"])
def test_a_url_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SetupError, match="RAG_CACHE__URL") as error:
        RedisCache(url)
    assert "hush" not in str(error.value)
    assert error.value.__suppress_context__


async def test_entries_of_another_dimension_are_left_aside(cache: RedisCache) -> None:
    await kept(cache, "g", 0, "a")
    await cache.remember("g", a_vector()[:4], "broken", LONG_S)
    assert await cache.near("g", a_vector(), 0.9) == ("a", b"value")


async def test_it_holds_groups_of_few_groups(cache: RedisCache) -> None:
    for number in range(40):
        await kept(cache, f"g{number}", 0, f"k{number}")
        assert await cache.near(f"g{number}", a_vector(), 0.9) == (f"k{number}", b"value")
    assert len(cache._groups) == redis_cache._MAX_LOCAL_GROUPS
    assert await cache.near("g0", a_vector(), 0.9) == ("k0", b"value")
