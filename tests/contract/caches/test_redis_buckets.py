from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from rag.adapters.memory_buckets import MemoryBuckets
from rag.adapters.memory_counters import MemoryCounters
from rag.adapters.redis.buckets import RedisBuckets
from rag.adapters.redis.counters import RedisCounters
from rag.adapters.redis.limits_redis import LimitsRedis
from rag.auth.caller import Caller
from rag.auth.limits import Limits
from rag.errors import RateLimitExceeded
from rag.http.auth.rate_limit import RateLimits
from rag.ports import RequestBucket, Window
from tests.contract.caches.buckets_contract import KEY, TENANT, BucketsContract
from tests.support.servers.redis_server import RedisServer, own_redis, shared_redis

__all__ = ["own_redis", "shared_redis"]

pytestmark = pytest.mark.integration

PATIENT_S = 5.0


def replica(server: RedisServer) -> RedisBuckets:
    return RedisBuckets(LimitsRedis(server.url, call_timeout_s=PATIENT_S), MemoryBuckets())


class TestRedisBuckets(BucketsContract):
    @pytest.fixture
    async def buckets(self, shared_redis: RedisServer) -> AsyncIterator[RedisBuckets]:
        shared_redis.command("FLUSHALL")
        buckets = replica(shared_redis)
        yield buckets
        await buckets.close()


async def test_replicas_share_limits_and_tell_what_is_left_in_all(shared_redis: RedisServer) -> None:
    shared_redis.command("FLUSHALL")
    one, two = (RateLimits(replica(shared_redis)) for _ in range(2))
    caller = Caller("key_1", "acme", frozenset({"ask"}), key_limits=Limits(requests_per_minute=3))
    seen: list[str] = []
    for limits in (one, two, one):
        headers: dict[str, str] = {}
        await limits.count(caller, headers)
        seen.append(headers["x-ratelimit-remaining-requests"])
    assert seen == ["2", "1", "0"]
    with pytest.raises(RateLimitExceeded, match="limited to 3 requests a minute") as caught:
        await two.count(caller, {})
    assert 1 <= caught.value.retry_after_s <= 20
    await one.close()
    await two.close()


async def test_a_key_that_others_have_used_up_costs_its_tenant_nothing(shared_redis: RedisServer) -> None:
    shared_redis.command("FLUSHALL")
    one, two = (replica(shared_redis) for _ in range(2))
    key = RequestBucket("key:one", 1)
    assert [each.admitted for each in await one.take([key, TENANT])] == [True, True]
    assert [each.admitted for each in await two.take([key, TENANT])] == [False]
    assert [each.admitted for each in await one.take([TENANT])] == [True]
    await one.close()
    await two.close()


async def test_what_the_process_itself_refuses_is_not_sent_to_redis(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    buckets = replica(own_redis)
    for _ in range(3):
        assert (await buckets.take([KEY]))[0].admitted
    own_redis.kill()
    assert not (await buckets.take([KEY]))[0].admitted
    assert not caplog.records, "Redis was called"
    await buckets.close()


async def test_a_bucket_expires_when_it_is_full_again(shared_redis: RedisServer) -> None:
    shared_redis.command("FLUSHALL")
    buckets = replica(shared_redis)
    await buckets.take([KEY])
    assert 19_000 < int(shared_redis.command("PTTL", "rag:1:bucket:key:a").removeprefix(":")) <= 20_000
    await buckets.close()


async def test_without_redis_a_process_goes_by_its_own_buckets(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    own = MemoryBuckets(clock=lambda: now)
    buckets = RedisBuckets(LimitsRedis(own_redis.url, call_timeout_s=PATIENT_S, clock=lambda: now), own)
    await buckets.take([KEY])
    own_redis.kill()
    with caplog.at_level(logging.INFO, "rag.limits"):
        taken = [(await buckets.take([KEY]))[0] for _ in range(3)]
        assert [each.admitted for each in taken] == [True, True, False]
        own_redis.start()
        now += 60
        assert [each.left for each in await buckets.take([KEY])] == [pytest.approx(2, abs=0.1)]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await buckets.close()


async def test_closing_does_not_end_an_outage(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    buckets = replica(own_redis)
    own_redis.kill()
    with caplog.at_level(logging.INFO, "rag.limits"):
        assert (await buckets.take([KEY]))[0].admitted
        await buckets.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_an_outage_is_reported_once_for_all_limits(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis = LimitsRedis(own_redis.url, call_timeout_s=PATIENT_S)
    buckets, counters = RedisBuckets(redis, MemoryBuckets()), RedisCounters(redis, MemoryCounters())
    own_redis.kill()
    await buckets.take([KEY])
    await counters.add([Window("day", 86_400)], 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    await buckets.close()
    await counters.close()
