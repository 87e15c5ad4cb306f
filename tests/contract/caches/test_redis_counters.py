from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from rag.adapters.memory_counters import MemoryCounters
from rag.adapters.redis.counters import RedisCounters
from rag.adapters.redis.limits_redis import LimitsRedis
from rag.errors import SetupError
from tests.contract.caches.counters_contract import DAY, MINUTE, CountersContract
from tests.support.servers.redis_server import RedisServer, own_redis, shared_redis

__all__ = ["own_redis", "shared_redis"]

pytestmark = pytest.mark.integration

PATIENT_S = 5.0


def of(server: RedisServer) -> RedisCounters:
    return RedisCounters(LimitsRedis(server.url, call_timeout_s=PATIENT_S), MemoryCounters())


class TestRedisCounters(CountersContract):
    @pytest.fixture
    async def counters(self, shared_redis: RedisServer) -> AsyncIterator[RedisCounters]:
        shared_redis.command("FLUSHALL")
        counters = of(shared_redis)
        yield counters
        await counters.close()


async def test_replicas_share_counts(shared_redis: RedisServer) -> None:
    shared_redis.command("FLUSHALL")
    one, two = (of(shared_redis) for _ in range(2))
    await one.add([MINUTE], 3)
    await two.add([MINUTE], 4)
    assert [count.value for count in await one.read([MINUTE])] == [7]
    await one.close()
    await two.close()


async def test_without_redis_a_process_goes_by_its_own_counts(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    counters = RedisCounters(LimitsRedis(own_redis.url, call_timeout_s=PATIENT_S, clock=lambda: now), MemoryCounters())
    await counters.add([DAY], 3)
    own_redis.kill()
    with caplog.at_level(logging.INFO, "rag.limits"):
        await counters.add([DAY], 4)
        assert [count.value for count in await counters.read([DAY])] == [7]
        own_redis.start()
        now += 6
        await counters.add([DAY], 1)
        assert [count.value for count in await counters.read([DAY])] == [1]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await counters.close()


def test_a_url_that_is_not_one_of_redis_is_refused() -> None:
    with pytest.raises(SetupError) as caught:
        LimitsRedis("http://user:secret@host")
    assert "secret" not in caught.value.message
