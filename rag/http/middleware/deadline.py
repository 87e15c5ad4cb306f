"""The time limit of an answer that is not streamed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rag.errors import DeadlineExceeded


@contextlib.asynccontextmanager
async def in_time(timeout_s: float) -> AsyncIterator[None]:
    """Raise DeadlineExceeded if the code inside takes longer."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise DeadlineExceeded(f"the answer was not complete within {timeout_s:g} s") from None
