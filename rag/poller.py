"""Repeats a check in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Poller:
    """Repeats a check in the event loop until the check ends it or `stop` is called.

    Args:
        check: Returns the seconds until it is called again, or None to end. It must not raise.
    """

    def __init__(self, check: Callable[[], Awaitable[float | None]]) -> None:
        self._check = check
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Call the check for the first time, in a new task."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Cancel a running check. Does nothing before `start`."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while (pause_s := await self._check()) is not None:
            await asyncio.sleep(pause_s)
