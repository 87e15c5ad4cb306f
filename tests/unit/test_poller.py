"""A check is repeated until it returns None or the poller is stopped."""

from __future__ import annotations

import asyncio

from rag.poller import Poller


async def test_the_check_decides_the_pause_and_the_end() -> None:
    pauses: list[float | None] = [0.0, 0.001, None, 0.0]
    ended = asyncio.Event()

    async def check() -> float | None:
        pause = pauses.pop(0)
        if pause is None:
            ended.set()
        return pause

    Poller(check).start()
    await ended.wait()
    await asyncio.sleep(0.01)
    assert pauses == [0.0]


async def test_stop_cancels_a_running_check() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def check() -> float:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return 0

    poller = Poller(check)
    poller.start()
    await started.wait()
    poller.stop()
    await cancelled.wait()


async def test_stop_before_start_does_nothing() -> None:
    async def check() -> None: ...

    Poller(check).stop()
