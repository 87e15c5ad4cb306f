"""What all RequestBuckets do. Inherit it and give it a `buckets` fixture: some that nothing was taken from."""

from __future__ import annotations

import asyncio

import pytest

from rag.ports import RequestBucket, RequestBuckets

KEY, TENANT = RequestBucket("key:a", 3), RequestBucket("tenant:b", 2)


class BucketsContract:
    async def test_a_full_bucket_holds_a_minutes_requests(self, buckets: RequestBuckets) -> None:
        taken = [(await buckets.take([KEY]))[0] for _ in range(4)]
        assert [each.admitted for each in taken] == [True, True, True, False]
        assert [int(each.left) for each in taken] == [2, 1, 0, 0]

    @pytest.mark.parametrize("per_minute", [1, 7, 600, 1_000_000])
    async def test_one_request_leaves_all_others(self, buckets: RequestBuckets, per_minute: int) -> None:
        taken = (await buckets.take([RequestBucket(f"key:{per_minute}", per_minute)]))[0]
        assert taken.admitted
        assert taken.left == pytest.approx(per_minute - 1, abs=0.001)

    async def test_the_first_empty_bucket_keeps_the_next_ones_as_they_are(self, buckets: RequestBuckets) -> None:
        one = RequestBucket("key:one", 1)
        assert [each.admitted for each in await buckets.take([one, TENANT])] == [True, True]
        assert [each.admitted for each in await buckets.take([one, TENANT])] == [False]
        assert [int(each.left) for each in await buckets.take([TENANT])] == [0]

    async def test_nothing_is_taken_from_no_bucket(self, buckets: RequestBuckets) -> None:
        assert list(await buckets.take([])) == []

    async def test_an_empty_bucket_fills_up_again(self, buckets: RequestBuckets) -> None:
        fast = RequestBucket("key:fast", 60)
        while (taken := (await buckets.take([fast]))[0]).admitted:
            pass
        assert taken.left < 1
        while not (taken := (await buckets.take([fast]))[0]).admitted:
            assert taken.left < 1
            await asyncio.sleep(0.05)

    async def test_no_more_are_admitted_when_many_come_at_once(self, buckets: RequestBuckets) -> None:
        taken = await asyncio.gather(*(buckets.take([KEY, RequestBucket("tenant:c", 100)]) for _ in range(20)))
        assert sum(all(each.admitted for each in result) for result in taken) == 3
