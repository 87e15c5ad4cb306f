"""Runs blocking calls without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_thread_shielded(call: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run `call` in a thread. If the caller is cancelled, it still waits for the call to end: a thread cannot be
    stopped, and the uploads that it uses must not be deleted before.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **options))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # retrieve the exception, or asyncio warns about it
        raise
