"""Work in the service's event loop on behalf of a thread in which a job runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as StillWaiting
from typing import Any, TypeVar

_LOOK_EVERY_S = 0.25
T = TypeVar("T")


def in_loop(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
    """Wait for it. `check` is called meanwhile, again and again; what that raises breaks the work off."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    while True:
        try:
            return future.result(_LOOK_EVERY_S)
        except StillWaiting:
            if future.done():
                raise  # the work itself timed out
        try:
            check()
        except BaseException:
            future.cancel()
            raise
