"""Calls into the library, which block, without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_thread_shielded(call: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run `call` in a thread. A cancelled caller waits until it has ended: a thread cannot be stopped, and what it
    works on (uploads on disk) must not be cleared away under it.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **options))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # retrieve the exception, or asyncio warns about it
        raise
