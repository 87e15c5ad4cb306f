"""What every Counters does. Inherit it and give it a `counters` fixture: one without counts."""

from __future__ import annotations

import asyncio

from rag.ports import Count, Counters, Window

MINUTE, DAY, SECOND = Window("key:a:60", 60), Window("key:a:86400", 86_400), Window("key:b:1", 1)


class CountersContract:
    async def test_nothing_was_counted_at_first(self, counters: Counters) -> None:
        assert list(await counters.read([MINUTE, DAY])) == [Count(0, 0.0), Count(0, 0.0)]
        assert list(await counters.read([])) == []

    async def test_each_window_has_its_own_count_and_end(self, counters: Counters) -> None:
        await counters.add([MINUTE, DAY], 5)
        await counters.add([MINUTE], 2)
        minute, day = await counters.read([MINUTE, DAY])
        assert (minute.value, day.value) == (7, 5)
        assert 30 < minute.ends_in_s <= 60
        assert 86_000 < day.ends_in_s <= 86_400

    async def test_a_window_begins_again_after_its_end(self, counters: Counters) -> None:
        await counters.add([SECOND, DAY], 3)
        while (await counters.read([SECOND]))[0].value:
            await asyncio.sleep(0.05)
        await counters.add([SECOND, DAY], 4)
        second, day = await counters.read([SECOND, DAY])
        assert day.value == 7
        assert second.value in (4, 0), "0 if a second has passed since"

    async def test_no_count_is_lost_among_many_at_once(self, counters: Counters) -> None:
        await asyncio.gather(*(counters.add([DAY], 1) for _ in range(50)))
        assert [count.value for count in await counters.read([DAY])] == [50]
