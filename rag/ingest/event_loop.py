"""Runs coroutines in the service's event loop on behalf of the threads in which jobs run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as NotDone
from typing import Any, TypeVar

_CHECK_INTERVAL_S = 0.25
T = TypeVar("T")


def run_in_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
    """Run a coroutine in the loop and wait for its result.

    `check` is called repeatedly meanwhile. If it raises, the coroutine is cancelled and the exception propagates.
    """
    future = asyncio.run_coroutine_threadsafe(work, loop)
    while True:
        try:
            return future.result(_CHECK_INTERVAL_S)
        except NotDone:
            if future.done():
                raise  # the coroutine itself raised it
        try:
            check()
        except BaseException:
            future.cancel()
            raise
