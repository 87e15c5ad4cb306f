"""Verifies API keys with the Retriever, which has the catalog. Results are cached for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cachetools import LRUCache

from rag.auth.caller import Caller
from rag.errors import DeadlineExceeded, Unavailable

FRESH_S = 3.0
"""How long a result is used: a revoked key stops working after this time at the latest."""
_STALE_S = 60.0
"""How long it is used if the Retriever does not answer, so that its restart does not lock everyone out."""
_MAX_KEYS = 4096


@dataclass(frozen=True, slots=True)
class VerifiedKey:
    caller: Caller
    expires_at: float | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What the catalog says of a secret."""

    required: bool
    """Whether requests need a key."""
    key: VerifiedKey | None = None

    def problem(self, now: float) -> str | None:
        """Why the key is not valid; None if it is, or if there is none."""
        if self.key is None:
            return None
        if self.key.revoked:
            return "was revoked"
        return "has expired" if self.key.expires_at is not None and self.key.expires_at <= now else None


LookUpKey = Callable[[str | None], Awaitable[Verification]]
"""Asks the catalog for the key with this hash; None only asks whether keys are required."""


class VerifiedKeys:
    """Verifies secrets by their hashes, with a cache.

    Args:
        look_up: Called for a hash that is not known or no longer fresh.
        clock: Seconds, for tests.
    """

    def __init__(self, look_up: LookUpKey, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: LRUCache[str | None, tuple[float, Verification]] = LRUCache(_MAX_KEYS)

    async def verify(self, digest: str | None) -> Verification:
        """What the catalog says, or said a few seconds ago. Raises Unavailable if it cannot be asked."""
        at, known = self._known.get(digest, (float("-inf"), None))
        age_s = self._clock() - at
        if known is not None and age_s < FRESH_S:
            return known
        try:
            found = await self._look_up(digest)
        except (Unavailable, DeadlineExceeded):
            # Without keys there is nothing that could have been revoked.
            if known is not None and (age_s < _STALE_S or not known.required):
                return known
            raise
        self._known[digest] = self._clock(), found
        return found
